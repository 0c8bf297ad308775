#pragma once
// Text as XML takes it.
#include <string>
#include <string_view>

namespace moesim {

// For element content and attribute values: the five special characters as entities; what XML 1.0 does not allow
// (control characters, bytes that are not UTF-8) as '?'.
std::string xml_text(std::string_view text);

}  // namespace moesim
