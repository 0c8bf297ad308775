#include "study/run_apart.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <tbb/parallel_for.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"
#include "config/scenario_json.hpp"

namespace moesim {
namespace {

constexpr std::size_t max_result_bytes = std::size_t{2} << 30U;

struct FileActions {
    posix_spawn_file_actions_t actions{};
    FileActions() { posix_spawn_file_actions_init(&actions); }
    ~FileActions() { posix_spawn_file_actions_destroy(&actions); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;
    void open(int fd, const std::string& path) {
        posix_spawn_file_actions_addopen(&actions, fd, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    }
};

int exit_code_of(const std::vector<std::string>& command, const std::string& out, const std::string& err) {
    FileActions files;
    files.open(1, out);
    files.open(2, err);
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
    arguments.push_back(nullptr);
    pid_t child = 0;
    if (posix_spawn(&child, command[0].c_str(), &files.actions, nullptr, arguments.data(), environ) != 0)
        throw InternalError("cannot start " + command[0]);
    int status = 0;
    if (waitpid(child, &status, 0) != child) throw InternalError("lost the process of a simulation");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

nlohmann::json result_of(const std::string& program, const Scenario& scenario, const std::string& stem) {
    const std::string file = stem + ".scenario.json", out = stem + ".result.json", err = stem + ".stderr";
    write_file(file, to_json(scenario).dump(1) + "\n");
    const int code = exit_code_of({program, "run", file, "--json"}, out, err);
    if (code == 0) return nlohmann::json::parse(read_file(out, max_result_bytes));
    std::string said = read_file(err, 1U << 20U);
    if (const auto prefix = std::string("moesim: "); said.rfind(prefix, 0) == 0) said.erase(0, prefix.size());
    while (!said.empty() && said.back() == '\n') said.pop_back();
    if (code == 2) throw InputError(said);
    if (code == 1) throw CheckFailed(said);
    throw InternalError(fmt::format("the simulation of {} ended with {}: {}", file, code, said));
}

// What `look` makes of each run.
template <class Look>
void look_at_each(const std::string& program, const std::vector<Scenario>& scenarios, const std::string& folder,
                  Look look) {
    tbb::parallel_for(std::size_t{0}, scenarios.size(), [&](std::size_t i) {
        const std::string stem = (std::filesystem::path(folder) / fmt::format("{}", i)).string();
        try {
            look(i, RunOutcome{result_of(program, scenarios[i], stem), {}});
        } catch (const Error& e) {
            if (e.code() == ExitCode::own_fault) throw;
            look(i, RunOutcome{{}, e.what()});
        }
    });
}

}  // namespace

std::vector<RunOutcome> try_apart(const std::string& program, const std::vector<Scenario>& scenarios,
                                  const std::string& folder) {
    std::vector<RunOutcome> outcomes(scenarios.size());
    look_at_each(program, scenarios, folder, [&](std::size_t i, RunOutcome run) { outcomes[i] = std::move(run); });
    return outcomes;
}

std::vector<nlohmann::json> run_apart(const std::string& program, const std::vector<Scenario>& scenarios,
                                      const std::string& folder) {
    std::vector<nlohmann::json> results;
    for (RunOutcome& run : try_apart(program, scenarios, folder)) {
        if (!run.failure.empty()) throw CheckFailed(run.failure);
        results.push_back(std::move(run.result));
    }
    return results;
}

std::vector<Seconds> makespans_apart(const std::string& program, const std::vector<Scenario>& scenarios,
                                     const std::string& folder) {
    std::vector<Seconds> makespans(scenarios.size(), Seconds(std::numeric_limits<double>::infinity()));
    std::vector<std::string> failures(scenarios.size());
    look_at_each(program, scenarios, folder, [&](std::size_t i, const RunOutcome& run) {
        failures[i] = run.failure;
        if (run.failure.empty()) makespans[i] = Seconds(run.result["makespan_s"].get<double>());
    });
    const bool some = std::any_of(failures.begin(), failures.end(), [](const std::string& f) { return f.empty(); });
    if (!some && !failures.empty()) throw CheckFailed(failures[0]);
    return makespans;
}

}  // namespace moesim
