#include "cli/workload.hpp"

#include <CLI/CLI.hpp>

namespace moesim {

void add_workload_command(CLI::App& app) {
    CLI::App* group = app.add_subcommand("workload", "Learns, shows and writes token-to-expert routings");
    group->require_subcommand(1);
    add_workload_fit(*group);
    add_workload_describe(*group);
    add_workload_generate(*group);
}

}  // namespace moesim
