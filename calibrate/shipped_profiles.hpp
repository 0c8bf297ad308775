#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace moesim {

// A file of topologies/profiles, compiled in (calibrate/CMakeLists.txt).
struct ShippedProfile {
    std::string name;  // "h100-sxm"
    std::string_view text;
};
const std::vector<ShippedProfile>& shipped_profiles();

}  // namespace moesim
