#pragma once
// Programs that build a testbed: ip, bridge, tc.
#include <string>
#include <vector>

#include "base/error.hpp"

namespace moesim::testbed {

// A program with its arguments, and what it reads from stdin.
struct Command {
    std::vector<std::string> argv;
    std::string input;
    bool operator==(const Command&) const = default;
};

// As a shell would read it.
std::string to_text(const Command& command);

// A program could not be started, or did not end with 0: this machine lacks it, or refuses what it asks for.
class CommandFailed : public Error {
  public:
    explicit CommandFailed(const std::string& what) : Error(ExitCode::machine_lacks, what) {}
};

class CommandRunner {
  public:
    virtual ~CommandRunner() = default;
    CommandRunner() = default;
    CommandRunner(const CommandRunner&) = delete;
    CommandRunner& operator=(const CommandRunner&) = delete;
    // Waits for its end and gives back what it wrote to stdout. Throws CommandFailed with what it wrote to stderr.
    virtual std::string run(const Command& command) = 0;
};

// Runs them on this machine. They are in a process group of their own, so that what a terminal sends to moesim does
// not end them half-way, and have no signals blocked.
class SystemRunner final : public CommandRunner {
  public:
    std::string run(const Command& command) override;
};

}  // namespace moesim::testbed
