#pragma once
#include <CLI/CLI.hpp>

namespace moesim {

void add_execute_command(CLI::App& app);

}  // namespace moesim
