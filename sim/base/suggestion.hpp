#pragma once
// What a misspelt name may have meant.
#include <span>
#include <string>
#include <string_view>

namespace moesim {

// "; did you mean \"NAME\"?" for the nearest name within a third of the word's length, or within two letters; else
// nothing.
std::string suggestion(std::string_view word, std::span<const std::string_view> names);

}  // namespace moesim
