#pragma once
#include <string>
#include <string_view>

namespace moesim {

// Writes the answer to stdout, all of it: throws InputError where stdout takes no more (a full disk, a closed pipe).
void print(std::string_view answer);

// Creates the folder, with its parents. Throws InputError where something else has the name, or it cannot be made or
// written into.
void make_folder(const std::string& path);

}  // namespace moesim
