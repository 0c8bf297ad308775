#pragma once
#include "base/error.hpp"

namespace moesim {

// The machine has not got what the command needs: a device, a peer, a right.
class MachineLacks : public Error {
  public:
    explicit MachineLacks(const std::string& what) : Error(ExitCode::machine_lacks, what) {}
};

}  // namespace moesim
