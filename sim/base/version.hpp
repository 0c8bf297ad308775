#pragma once
#include <string_view>

namespace moesim {

// "0.1.0", from the build file.
std::string_view version();

}  // namespace moesim
