#pragma once
#include <string>

#include "config/profile.hpp"

namespace moesim {

// The shipped profile (topologies/profiles) of a GPU, "H100" say, as it was when moesim was built: what datasheets and
// others' tables say of it. Throws InputError, naming those there are, where there is none.
Profile base_profile(const std::string& gpu);

}  // namespace moesim
