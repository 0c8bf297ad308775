#include "calibrate/testbed/build.hpp"

#include <fmt/format.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "base/error.hpp"

namespace moesim::testbed {
namespace {

constexpr int attempts = 100;

// Those in a network namespace; in a group of processes they are the same ones.
std::vector<std::string> processes_in(const Made& made, Machine& machine) {
    const bool space = made.kind == Made::Kind::name_space;
    std::istringstream text(machine.run(space ? Command{{"ip", "netns", "pids", made.name}, ""}
                                              : Command{{"cat", made.name + "/cgroup.procs"}, ""}));
    std::vector<std::string> all;
    for (std::string pid; text >> pid;) all.push_back(pid);
    return all;
}

void end_processes(const Made& made, Machine& machine) {
    for (int i = 0; i < attempts; ++i) {
        const auto processes = processes_in(made, machine);
        if (processes.empty()) return;
        // Some may have ended by themselves since.
        Command kill{{"sh", "-c", "kill -KILL \"$@\" 2>/dev/null || true", "sh"}, ""};
        kill.argv.insert(kill.argv.end(), processes.begin(), processes.end());
        machine.run(kill);
        machine.wait_a_little();
    }
    throw Error(ExitCode::machine_lacks, fmt::format("{}: found processes that do not end", made.name));
}

void remove_one(const Made& made, Machine& machine) {
    if (made.kind == Made::Kind::setting) {
        machine.run({{"tee", made.path()}, made.name.substr(made.name.find('=') + 1)});
        return;
    }
    end_processes(made, machine);
    const Command command = made.kind == Made::Kind::name_space ? Command{{"ip", "netns", "delete", made.name}, ""}
                                                                : Command{{"rmdir", made.name}, ""};
    for (int i = 1;; ++i) {
        try {
            machine.run(command);
            return;
        } catch (const CommandFailed&) {  // a group stays busy for a moment after its last process
            if (i == attempts) throw;
            machine.wait_a_little();
        }
    }
}

}  // namespace

bool ThisMachine::exists(const std::string& path) const { return std::filesystem::exists(path); }
void ThisMachine::wait_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

void build(const Plan& plan, const StateFolder& folder, Machine& machine, const std::function<void()>& before_each) {
    for (const Step& s : plan.steps)
        if (s.makes && s.makes->kind != Made::Kind::setting && machine.exists(s.makes->path()))
            throw InputError(
                fmt::format("{}: found it there, which no testbed has written down; expected the name to "
                            "be free: another --name is needed",
                            s.makes->path()));
    for (const Step& s : plan.steps) {
        before_each();
        if (s.makes) folder.write_down(*s.makes);
        machine.run(s.command);
    }
}

void remove(const StateFolder& folder, Machine& machine) {
    const auto made = folder.made();
    std::string left;
    for (auto m = made.rbegin(); m != made.rend(); ++m) {
        try {
            if (machine.exists(m->path())) remove_one(*m, machine);
        } catch (const Error& e) {  // the others can go nevertheless
            left += fmt::format("{}{}", left.empty() ? "" : "; ", e.what());
        }
    }
    if (!left.empty())
        throw Error(ExitCode::machine_lacks,
                    fmt::format("{}: not all could be removed: {}", folder.path().string(), left));
    folder.remove();
}

}  // namespace moesim::testbed
