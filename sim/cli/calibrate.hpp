#pragma once
#include <CLI/App.hpp>

namespace moesim {

// moesim calibrate --from FILE... -o profile.json: see --help.
void add_calibrate_command(CLI::App& app);

}  // namespace moesim
