#pragma once
#include <CLI/App.hpp>

namespace moesim {

// moesim validate --table FILE --profile PROFILE: see --help.
void add_validate_command(CLI::App& app);

}  // namespace moesim
