#include "cli/run.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "cli/output.hpp"
#include "cli/progress_bar.hpp"
#include "config/scenario_json.hpp"
#include "engine/simulate.hpp"
#include "result/result_json.hpp"
#include "result/table.hpp"
#include "result/trace.hpp"
#include "study/resolve.hpp"

namespace moesim {
namespace {

struct RunOptions {
    std::string scenario;
    std::optional<std::string> out;
    bool json = false;
    std::optional<std::uint64_t> seed;
};

// SimGrid shares out all flows anew whenever one ends, so its time grows with more than the square of the messages of
// one all-to-all. Whoever waits should know why, and what the way around is.
void warn_if_slow(const Scenario& scenario) {
    const std::int64_t messages = scenario.parallelism.expert * (scenario.parallelism.expert - 1);
    const bool direct =
        scenario.dispatch.dedup != Dedup::node && scenario.dispatch.algorithm != Algorithm::hierarchical;
    if (scenario.network.model == NetworkKind::simgrid && direct && messages > 8000)
        fmt::print(stderr,
                   "moesim: note: an all-to-all of {} messages takes the network model \"simgrid\" minutes; \"fluid\" "
                   "gives the same answer in seconds\n",
                   messages);
}

void run(const RunOptions& options) {
    Scenario scenario = load_scenario(options.scenario);
    if (options.seed) scenario.seed = *options.seed;
    warn_if_slow(scenario);
    if (options.out) make_folder(*options.out);  // before the work, so that a wrong path costs nothing
    ProgressBar bar;
    const Result result = simulate(resolve(std::move(scenario), options.scenario),
                                   [&](std::string_view phase, double share) { bar.show(phase, share); });
    bar.clear();
    const Metrics metrics = measure(result);
    const std::string document = to_json(result, metrics).dump(1) + "\n";
    if (options.out) {
        const std::filesystem::path folder = *options.out;
        PendingFile trace_file(folder / "trace.json", chrome_trace(result));
        PendingFile result_file(folder / "result.json", document);
        trace_file.commit();
        result_file.commit();
    }
    print(options.json ? document : table(result, metrics));
    if (options.out && !options.json)
        print(fmt::format("\nwritten      {0}/result.json, {0}/trace.json (opens in ui.perfetto.dev)\n", *options.out));
}

}  // namespace

void add_run_command(CLI::App& app) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* command = app.add_subcommand("run", "Simulates a scenario");
    command->add_option("SCENARIO", options->scenario, "moesim.scenario/1 file, or a result.json to repeat")
        ->required();
    command->add_flag("--json", options->json, "the result document on stdout instead of the table");
    command->add_option("--out", options->out, "folder for result.json and trace.json");
    command->add_option("--seed", options->seed, "in the place of the scenario's seed")
        ->check(CLI::Range(std::uint64_t{0}, static_cast<std::uint64_t>(INT64_MAX)));
    command->callback([options] { run(*options); });
}

}  // namespace moesim
