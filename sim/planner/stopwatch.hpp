#pragma once
// Wall time since a method began: what it reports, and what its limit in seconds is held against.
#include <chrono>

#include "base/units.hpp"

namespace moesim {

class Stopwatch {
  public:
    [[nodiscard]] Seconds elapsed() const {
        return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace moesim
