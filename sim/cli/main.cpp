#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "base/error.hpp"
#include "base/version.hpp"
#include "cli/run.hpp"

namespace {

int run_program(int argc, char** argv) {
    CLI::App app{"moesim: how fast will this Mixture-of-Experts model run on that cluster?"};
    app.set_version_flag("--version", std::string(moesim::version()));
    app.require_subcommand(1);
    moesim::add_run_command(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        const int code = app.exit(e);  // prints help or the error
        return code == 0 ? 0 : static_cast<int>(moesim::ExitCode::bad_input);
    }
    return static_cast<int>(moesim::ExitCode::done);
}

}  // namespace

// Every failure ends here, as one line on stderr and the exit code of its kind.
int main(int argc, char** argv) {
    try {
        return run_program(argc, argv);
    } catch (const moesim::Error& e) {
        fmt::print(stderr, "moesim: {}\n", e.what());
        return static_cast<int>(e.code());
    } catch (const std::bad_alloc&) {
        fmt::print(stderr, "moesim: out of memory\n");
    } catch (const std::exception& e) {
        fmt::print(stderr, "moesim: internal fault: {}\n", e.what());
    }
    return static_cast<int>(moesim::ExitCode::own_fault);
}
