#pragma once
#include <CLI/App.hpp>

namespace moesim {

// moesim topology TOPOLOGY [--json] [--export FORMAT] [-o FILE] [--bytes SIZE]
void add_topology_command(CLI::App& app);

}  // namespace moesim
