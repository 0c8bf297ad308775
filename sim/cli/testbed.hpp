#pragma once
#include <CLI/App.hpp>

namespace moesim {

// moesim testbed up TOPOLOGY | run -- COMMAND... | show | down: see --help.
void add_testbed_command(CLI::App& app);

}  // namespace moesim
