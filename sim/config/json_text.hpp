#pragma once
// Text -> JSON value, stricter than the standard asks: no key twice, no deep nesting.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace moesim {

// The largest JSON file that is read, and the deepest nesting.
inline constexpr std::size_t max_json_bytes = std::size_t{64} << 20;
inline constexpr int max_json_depth = 32;

// A piece of input as a message may show it: one line of ASCII, at most `most` characters.
std::string clipped(std::string text, std::size_t most = 80);

// Throws InputError with file, JSON path (or line and column), found and expected.
nlohmann::json parse_json(std::string_view text, const std::string& file);

}  // namespace moesim
