#pragma once
#include <string>

namespace moesim {

// The version of the SimGrid library that runs, "3.32.0".
std::string simgrid_version();

}  // namespace moesim
