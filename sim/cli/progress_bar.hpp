#pragma once
#include <chrono>
#include <string_view>

namespace moesim {

// A progress bar on stderr. It appears once the work has taken two seconds, and never where stderr is no terminal.
class ProgressBar {
  public:
    ProgressBar();
    ~ProgressBar() { clear(); }
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    void show(std::string_view phase, double share);
    void clear();

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point start_, last_;
    bool terminal_ = false;
    bool visible_ = false;
};

}  // namespace moesim
