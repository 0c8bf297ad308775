#pragma once
// The moesim program, run as a user runs it.
#include <string>
#include <vector>

namespace moesim::test {

struct ProgramRun {
    int exit_code = -1;
    std::string out, err;
};

// Runs moesim with the arguments; throws std::runtime_error where it cannot be started.
ProgramRun run_program(const std::vector<std::string>& arguments);

}  // namespace moesim::test
