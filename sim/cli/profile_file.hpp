#pragma once
#include <string>

#include "config/profile.hpp"

namespace moesim {

// Of a moesim.profile/1 file. Throws InputError.
Profile load_profile(const std::string& file);

// What such a file is to hold. Throws InputError, naming it, where load_profile() would refuse that.
std::string profile_text(const Profile& profile, const std::string& file);

}  // namespace moesim
