#include "study/run_apart.hpp"

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"
#include "config/scenario_json.hpp"
#include "study/child_process.hpp"

namespace moesim {
namespace {

constexpr std::size_t max_result_bytes = std::size_t{2} << 30U;

nlohmann::json result_of(const std::string& program, const Scenario& scenario, const std::string& stem) {
    const std::string file = stem + ".scenario.json", out = stem + ".result.json", err = stem + ".stderr";
    write_file(file, to_json(scenario).dump(1) + "\n");
    const int code = run_child({program, "run", file, "--json"}, out, err);
    if (code == 0) return nlohmann::json::parse(read_file(out, max_result_bytes));
    std::string said = read_file(err, 1U << 20U);
    if (const auto prefix = std::string("moesim: "); said.rfind(prefix, 0) == 0) said.erase(0, prefix.size());
    while (!said.empty() && said.back() == '\n') said.pop_back();
    if (code == 2) throw InputError(said);
    if (code == 1) throw CheckFailed(said);
    throw InternalError(fmt::format("the simulation of {} ended with {}: {}", file, code, said));
}

// What `look` makes of each run, and then `ended`, one call at a time.
template <class Look>
void look_at_each(const std::string& program, const std::vector<NamedRun>& runs, const std::string& folder,
                  const std::function<void(std::size_t ended)>& ended, Look look) {
    std::mutex counting;
    std::size_t count = 0;
    tbb::parallel_for(std::size_t{0}, runs.size(), [&](std::size_t i) {
        const std::string stem = (std::filesystem::path(folder) / runs[i].name).string();
        try {
            look(i, RunOutcome{result_of(program, runs[i].scenario, stem), {}});
        } catch (const Error& e) {
            if (e.code() == ExitCode::own_fault) throw;
            look(i, RunOutcome{{}, e.what()});
        }
        const std::lock_guard lock(counting);
        ++count;
        if (ended) ended(count);
    });
}

}  // namespace

std::vector<RunOutcome> try_apart(const std::string& program, const std::vector<NamedRun>& runs,
                                  const std::string& folder, const std::function<void(std::size_t ended)>& ended) {
    std::vector<RunOutcome> outcomes(runs.size());
    look_at_each(program, runs, folder, ended, [&](std::size_t i, RunOutcome run) { outcomes[i] = std::move(run); });
    return outcomes;
}

std::vector<Seconds> makespans_apart(const std::string& program, const std::vector<NamedRun>& runs,
                                     const std::string& folder, const std::function<void(std::size_t ended)>& ended) {
    std::vector<Seconds> makespans(runs.size(), Seconds(std::numeric_limits<double>::infinity()));
    std::vector<std::string> failures(runs.size());
    look_at_each(program, runs, folder, ended, [&](std::size_t i, const RunOutcome& run) {
        failures[i] = run.failure;
        if (run.failure.empty()) makespans[i] = Seconds(run.result["makespan_s"].get<double>());
    });
    const bool some = std::any_of(failures.begin(), failures.end(), [](const std::string& f) { return f.empty(); });
    if (!some && !failures.empty()) throw CheckFailed(failures[0]);
    return makespans;
}

}  // namespace moesim
