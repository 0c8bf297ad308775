#pragma once
#include <string>
#include <string_view>

namespace moesim {

// The bytes of a text in base64: the standard alphabet (RFC 4648, section 4), padded, nothing else in between. Boost's
// iterators take more than that and do not say where a text is broken. Throws InputError ("WHERE: found ...").
std::string decode_base64(std::string_view text, const std::string& where);

}  // namespace moesim
