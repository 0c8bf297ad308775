#pragma once
#include <CLI/App.hpp>

namespace moesim {

// moesim run SCENARIO [--json] [--out DIR] [--seed N]
void add_run_command(CLI::App& app);

}  // namespace moesim
