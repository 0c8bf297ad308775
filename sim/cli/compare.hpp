#pragma once
#include <CLI/App.hpp>

namespace moesim {

// moesim compare SCENARIO: see --help.
void add_compare_command(CLI::App& app);

}  // namespace moesim
