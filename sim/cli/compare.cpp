#include "cli/compare.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/error.hpp"
#include "cli/output.hpp"
#include "cli/planning_options.hpp"
#include "config/scenario_json.hpp"
#include "study/compare.hpp"

namespace moesim {
namespace {

struct Options {
    std::string scenario;
    std::string out;
    bool json = false;
    PlanningArguments planning;
    CompareOptions compare;
};

// A folder that goes away with its owner.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "moesim-compare-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) throw InputError("found no room for a folder in " + name);
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

std::string document(const Scenario& s, const CompareOptions& o, const std::vector<ComparedMethod>& methods) {
    nlohmann::ordered_json j = {{"schema", "moesim.comparison/1"}, {"scenario", to_json(s)}, {"batches", o.batches}};
    for (const ComparedMethod& m : methods) {
        nlohmann::ordered_json row = {{"method", m.name},
                                      {"layer_mean_s", m.layer_mean_s},
                                      {"layer_p95_s", m.layer_p95_s},
                                      {"dispatch_mean_s", m.dispatch_s},
                                      {"expert_mean_s", m.expert_s},
                                      {"return_mean_s", m.return_s},
                                      {"remote_copies_per_token", m.remote_copies},
                                      {"nic_copies_per_token", m.nic_copies},
                                      {"load_max_over_mean", m.load_max_over_mean},
                                      {"memory_bytes", m.memory_bytes},
                                      {"copies_per_expert", m.copies},
                                      {"solve_s", m.solve_s},
                                      {"objective", m.objective},
                                      {"value", m.value}};
        if (m.bound) row["bound"] = *m.bound;
        j["methods"].push_back(std::move(row));
    }
    return j.dump(1) + "\n";
}

std::string table(const Scenario& s, const CompareOptions& o, const std::vector<ComparedMethod>& methods) {
    std::string text = fmt::format(
        "{}\n  a MoE layer under each placement, judged on {} batches that nothing was learned "
        "from; times in ms\n\n",
        s.name, o.batches);
    text += fmt::format("{:<22} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7} {:>9} {:>8} {:>7} {:>9}\n", "method",
                        "layer", "", "p95", "dispatch", "expert", "return", "remote", "by NIC", "max/mean", "memory",
                        "copies", "solved in");
    for (const ComparedMethod& m : methods)
        text += fmt::format(
            "{:<22} {:>9.4g} {:>+6.1f}% {:>9.4g} {:>9.4g} {:>9.4g} {:>9.4g} {:>8.3f} {:>7.3f} {:>9.3f} {:>4.1f} GiB "
            "{:>7.3f} "
            "{:>7.3f} s\n",
            m.name, m.layer_mean_s * 1e3, 100 * (m.layer_mean_s / methods[0].layer_mean_s - 1), m.layer_p95_s * 1e3,
            m.dispatch_s * 1e3, m.expert_s * 1e3, m.return_s * 1e3, m.remote_copies, m.nic_copies, m.load_max_over_mean,
            m.memory_bytes / (1 << 30), m.copies, m.solve_s);
    text += "\nwhat each made small, and a proven bound of it where there is one\n";
    for (const ComparedMethod& m : methods)
        text += fmt::format("{:<22} {:.4g}{}  {}\n", m.name, m.value,
                            m.bound ? fmt::format(" (at least {:.4g})", *m.bound) : "", m.objective);
    text +=
        "\nremote: copies of a token that a dispatch takes to other GPUs, a layer; by NIC: those that pass one\n"
        "max/mean: load of GPUs, mean over layers; memory: of the fullest GPU; copies: of an expert; percent: against "
        "the first line\n";
    return text;
}

void compare_placements(Options o) {
    const Scenario scenario = load_scenario(o.scenario);
    o.compare.planning = o.planning.planning;
    o.compare.method = o.planning.method;
    o.compare.effort = o.planning.effort;
    o.compare.program = std::filesystem::read_symlink("/proc/self/exe").string();
    std::optional<TemporaryFolder> temporary;
    if (o.out.empty()) {
        temporary.emplace();
        o.compare.folder = temporary->path();
    } else {
        make_folder(o.out);
        o.compare.folder = o.out;
    }
    const bool shows = isatty(STDERR_FILENO) == 1;
    const auto methods = compare(scenario, o.scenario, o.compare, [&](const std::string& what) {
        if (shows) fmt::print(stderr, "{}\n", what);
    });
    print(o.json ? document(scenario, o.compare, methods) : table(scenario, o.compare, methods));
}

}  // namespace

void add_compare_command(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("compare", "One scenario under several placements, side by side");
    command->add_option("SCENARIO", options->scenario, "moesim.scenario/1 file: model, cluster and routing")
        ->required();
    std::string names;
    for (const PlannerMethod& m : planner_methods()) names += (names.empty() ? "" : ", ") + std::string(m.name);
    command->add_option("--methods", options->compare.methods, "comma-separated: " + names)->delimiter(',')->required();
    command->add_option("--batches", options->compare.batches, "that placements are judged on (4)")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1000}));
    command->add_flag("--json", options->json, "a document on stdout instead of the table");
    command->add_option("--out", options->out, "a folder for the scenarios that were run, and their results");
    add_planning_options(*command, options->planning);
    command->callback([options] { compare_placements(*options); });
}

}  // namespace moesim
