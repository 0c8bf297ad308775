// moesim execute where MPI, the network and the clock are simulated: for smpicxx and smpirun (see smpi).
#include <smpi/smpi.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/error.hpp"
#include "cli/execute.hpp"

int main(int argc, char** argv) {
    CLI::App app{"moesim execute under smpirun"};
    bool predicted = false;
    app.add_flag(
        "--predicted-computation", predicted,
        "a computation takes what the scenario's profile says, in the place of what this machine takes for it");
    app.require_subcommand(1);
    moesim::RankOptions rank;
    rank.computing = moesim::Computing::between_messages;
    rank.computed = [&](const moesim::Task& task) {
        if (predicted) smpi_execute(task.duration.value());  // on a core of smpi/host-speed
    };
    moesim::add_execute_command(app, rank);
    try {
        app.parse(argc, argv);
        return 0;
    } catch (const moesim::Error& e) {
        if (*e.what() != 0) std::fprintf(stderr, "moesim: %s\n", e.what());
        return static_cast<int>(e.code());
    } catch (const std::exception& e) {
        std::fprintf(stderr, "moesim: %s\n", e.what());
        return static_cast<int>(moesim::ExitCode::own_fault);
    }
}
