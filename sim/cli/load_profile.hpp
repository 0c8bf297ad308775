#pragma once
#include <string>

#include "config/profile.hpp"

namespace moesim {

// Of a moesim.profile/1 file. Throws InputError.
Profile load_profile(const std::string& file);

}  // namespace moesim
