#pragma once
#include <string>

namespace moesim {

// The "schema" that a JSON file names; empty where it is no such document. Throws InputError where it cannot be read.
std::string schema_of(const std::string& file);

}  // namespace moesim
