#pragma once
#include <CLI/App.hpp>

namespace moesim {

// moesim placement FILE [--positions N] [--to FORMAT] [-o OUT]
void add_placement_command(CLI::App& app);

}  // namespace moesim
