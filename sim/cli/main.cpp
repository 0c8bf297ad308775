#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <sstream>

#include "base/error.hpp"
#include "base/version.hpp"
#include "cli/calibrate.hpp"
#include "cli/compare.hpp"
#include "cli/execute.hpp"
#include "cli/output.hpp"
#include "cli/place.hpp"
#include "cli/placement.hpp"
#include "cli/run.hpp"
#include "cli/testbed.hpp"
#include "cli/topology.hpp"
#include "cli/validate.hpp"
#include "cli/workload.hpp"

namespace {

// One line on stderr. Where stderr is closed there is nobody to tell; the exit code remains.
int report(moesim::ExitCode code, const std::string& what) {
    // Of ranks that fail for one reason, one says it.
    if (!what.empty()) std::fputs(("moesim: " + what + "\n").c_str(), stderr);
    return static_cast<int>(code);
}

int run_program(int argc, char** argv) {
    CLI::App app{"moesim: how fast will this Mixture-of-Experts model run on that cluster?"};
    app.set_version_flag("--version", std::string(moesim::version()));
    app.require_subcommand(1);
    moesim::add_run_command(app);
    moesim::add_workload_command(app);
    moesim::add_topology_command(app);
    moesim::add_place_command(app);
    moesim::add_compare_command(app);
    moesim::add_placement_command(app);
    moesim::add_calibrate_command(app);
    moesim::add_execute_command(app);
    moesim::add_validate_command(app);
    moesim::add_testbed_command(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() != 0)
            throw moesim::InputError(std::string(e.what()) + " (moesim --help shows the usage)");
        std::ostringstream help;  // or the version
        app.exit(e, help);
        moesim::print(help.str());
    }
    return static_cast<int>(moesim::ExitCode::done);
}

}  // namespace

// Every failure ends here, as one line on stderr and the exit code of its kind.
int main(int argc, char** argv) {
    try {
        return run_program(argc, argv);
    } catch (const moesim::Error& e) {
        return report(e.code(), e.what());
    } catch (const std::bad_alloc&) {
        return report(moesim::ExitCode::machine_lacks, "out of memory: this machine has too little for this run");
    } catch (const std::exception& e) {
        return report(moesim::ExitCode::own_fault, std::string("internal fault: ") + e.what());
    }
}
