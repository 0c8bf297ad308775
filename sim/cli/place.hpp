#pragma once
#include <CLI/App.hpp>

namespace moesim {

// moesim place SCENARIO: see --help.
void add_place_command(CLI::App& app);

}  // namespace moesim
