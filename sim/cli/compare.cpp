#include "cli/compare.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/output.hpp"
#include "cli/planning_options.hpp"
#include "cli/replanning.hpp"
#include "cli/temporary_folder.hpp"
#include "cli/this_program.hpp"
#include "config/scenario_json.hpp"
#include "study/compare.hpp"
#include "study/replanning.hpp"

namespace moesim {
namespace {

struct CompareArguments {
    std::string scenario;
    std::string out;
    bool json = false;
    PlanningArguments planning;
    CompareOptions compare;
    ReplanningOptions replanning;  // where its intervals are given, over time
    std::string hysteresis = "0";
};

std::string without_spaces(std::string name) {
    name.erase(std::remove(name.begin(), name.end(), ' '), name.end());
    return name;
}

// How far above a proven bound.
std::optional<double> gap(const ComparedMethod& m) {
    if (!m.bound || m.value <= 0) return std::nullopt;
    return 1 - *m.bound / m.value;
}

nlohmann::ordered_json row(const ComparedMethod& m) {
    if (!m.failure.empty()) return {{"method", m.name}, {"failure", m.failure}};
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
    row["layer_batches_s"] = m.layer_batches_s;
    if (m.learned_layer_s) row["learned_layer_s"] = *m.learned_layer_s;
    if (m.closed_form_s) row["closed_form_s"] = *m.closed_form_s;
    if (const auto g = gap(m)) row["gap"] = *g;
    if (m.stopped) row["stopped"] = true;
    if (m.load_above_limit) row["load_above_limit"] = *m.load_above_limit;
    return row;
}

std::string document(const Scenario& s, const CompareOptions& o, const Comparison& c) {
    nlohmann::ordered_json j = {{"schema", "moesim.comparison/1"},     {"scenario", to_json(s)},
                                {"learned_tokens", c.learned_tokens},  {"batches", o.batches},
                                {"batch_tokens", s.batch.tokens()},    {"shift", c.shift.distance},
                                {"shift_by_chance", c.shift.by_chance}};
    if (c.recorded_tokens) j["recorded_tokens"] = *c.recorded_tokens;
    if (c.closed_form_bound_s) j["closed_form_bound_s"] = *c.closed_form_bound_s;
    for (const ComparedMethod& m : c.methods) j["methods"].push_back(row(m));
    return j.dump(1) + "\n";
}

std::string line(const ComparedMethod& m, const ComparedMethod& first) {
    if (!m.failure.empty()) return fmt::format("{:<22} no placement: {}\n", m.name, m.failure);
    return fmt::format(
        "{:<22} {:>9.4g} {:>+6.1f}% {:>9.4g} {:>9.4g} {:>9.4g} {:>9.4g} {:>8.3f} {:>7.3f} {:>9.3f} {:>4.1f} GiB "
        "{:>7.3f} {:>7.3f} s\n",
        m.name, m.layer_mean_s * 1e3, 100 * (m.layer_mean_s / first.layer_mean_s - 1), m.layer_p95_s * 1e3,
        m.dispatch_s * 1e3, m.expert_s * 1e3, m.return_s * 1e3, m.remote_copies, m.nic_copies, m.load_max_over_mean,
        m.memory_bytes / (1 << 30), m.copies, m.solve_s);
}

std::string objective_line(const ComparedMethod& m) {
    std::string proven;
    if (m.bound) proven = fmt::format(" (at least {:.4g})", *m.bound);
    if (const auto g = gap(m)) proven = fmt::format(" (at least {:.4g}, gap {:.1f}%)", *m.bound, 100 * *g);
    return fmt::format("{:<22} {:.4g}{}  {}{}\n", m.name, m.value, proven, m.objective,
                       m.stopped ? "; stopped by its limit before its program was solved" : "");
}

// How all did where they learned, and how well any placement could.
std::string learned_text(const Comparison& c) {
    if (!c.closed_form_bound_s) return {};
    std::string text =
        "\non learned tokens, in ms: a layer, simulated; its dispatch, experts and return, in closed form\n";
    for (const ComparedMethod& m : c.methods) {
        if (!m.failure.empty() || !m.closed_form_s) continue;
        text += fmt::format("{:<22} {:>9} {:>9.4g}\n", m.name,
                            m.learned_layer_s ? fmt::format("{:.4g}", *m.learned_layer_s * 1e3) : "",
                            *m.closed_form_s * 1e3);
    }
    return text + fmt::format("{:<22} {:>9} {:>9.4g}\n", "any placement, at least", "", *c.closed_form_bound_s * 1e3);
}

// What one would take, and what that gains.
std::string fastest_line(const Scenario& s, const CompareArguments& o, const std::vector<ComparedMethod>& methods) {
    std::vector<const ComparedMethod*> placed;
    for (const ComparedMethod& m : methods)
        if (m.failure.empty()) placed.push_back(&m);
    std::stable_sort(placed.begin(), placed.end(),
                     [](const auto* a, const auto* b) { return a->layer_mean_s < b->layer_mean_s; });
    const ComparedMethod& best = *placed[0];
    std::string text =
        fmt::format("\nfastest      {}: {:.4g} ms a layer, {:.4g} tokens/s through the {} layers", best.name,
                    best.layer_mean_s * 1e3,
                    static_cast<double>(s.batch.tokens()) / best.layer_mean_s / static_cast<double>(s.model.moe_layers),
                    s.model.moe_layers);
    if (placed.size() > 1)
        text += fmt::format("; next {}, {:+.1f}%", placed[1]->name,
                            100 * (placed[1]->layer_mean_s / best.layer_mean_s - 1));
    if (!o.out.empty()) text += fmt::format("\nplacement    {}/{}.placement.json", o.out, best.name);
    return text + "\n";
}

// The copies that were asked for, and who makes none.
std::string without_copies(const CompareArguments& o) {
    std::vector<std::string> without;
    for (const std::string& name : o.compare.methods)
        if (!planner_method(name).uses.copies) without.push_back(name);
    if (o.compare.planning.redundant == 0 || without.empty()) return {};
    return fmt::format("note: one copy of each expert, whatever --redundant says: {}\n", fmt::join(without, ", "));
}

// Those that could not keep the load limit.
std::string above_limit(const CompareArguments& o, const Comparison& c) {
    std::vector<std::string> above;
    for (const ComparedMethod& m : c.methods)
        if (m.load_above_limit) above.push_back(fmt::format("{} ({:.3g})", m.name, *m.load_above_limit));
    if (above.empty()) return {};
    return fmt::format(
        "note: max/mean load above the limit of {:.3g} on learned tokens, as even counts of experts let "
        "it be no less or the search found none: {}\n",
        o.compare.method.load_limit, fmt::join(above, ", "));
}

std::string shift_text(const WorkloadShift& shift) {
    std::string text =
        fmt::format("{:.1f}% of the choices go to other experts than in what was learned; {:.1f}% would by chance\n",
                    100 * shift.distance, 100 * shift.by_chance);
    if (shift.unlike())
        text +=
            "warning: the judged workload is unlike the learned one: placements for one task may not suit another\n";
    return text;
}

std::string table(const Scenario& s, const CompareArguments& options, const Comparison& c) {
    const CompareOptions& o = options.compare;
    std::string text = fmt::format(
        "{}\n  a MoE layer under each placement, learned from {} tokens, judged on {} batches that nothing was learned "
        "from; times in ms\n\n",
        s.name, c.learned_tokens, o.batches);
    text += fmt::format("{:<22} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7} {:>9} {:>8} {:>7} {:>9}\n", "method",
                        "layer", "", "p95", "dispatch", "expert", "return", "remote", "by NIC", "max/mean", "memory",
                        "copies", "solved in");
    const auto first =
        std::find_if(c.methods.begin(), c.methods.end(), [](const ComparedMethod& m) { return m.failure.empty(); });
    for (const ComparedMethod& m : c.methods) text += line(m, *first);
    text += "\nwhat each made small, and the best proven bound of it where there is one\n";
    for (const ComparedMethod& m : c.methods)
        if (m.failure.empty()) text += objective_line(m);
    text += learned_text(c) + fastest_line(s, options, c.methods);
    text +=
        "\nlayer: its mean over batches, p95: what 95% of them do not exceed\nremote: copies of a token that a "
        "dispatch takes to other GPUs, a layer; by NIC: those that pass one\n"
        "max/mean: load of GPUs, mean over layers; memory: of the fullest GPU; copies: of an expert; percent: against "
        "the first line\n";
    const auto wanted = static_cast<std::int64_t>(o.batches) * s.batch.tokens();
    if (c.recorded_tokens && *c.recorded_tokens < wanted)
        text += fmt::format("note: the recording has {} tokens to judge by, the batches {}: it begins again\n",
                            *c.recorded_tokens, wanted);
    return text + without_copies(options) + above_limit(options, c) + shift_text(c.shift);
}

std::string compared(const Scenario& scenario, CompareArguments& o,
                     const std::function<void(const std::string&)>& progress) {
    o.compare.planning = o.planning.planning;
    o.compare.method = o.planning.method;
    o.compare.effort = o.planning.effort;
    const Comparison methods = compare(scenario, o.scenario, o.compare, progress);
    return o.json ? document(scenario, o.compare, methods) : table(scenario, o, methods);
}

std::string compared_over_time(const Scenario& scenario, CompareArguments& o,
                               const std::function<void(const std::string&)>& progress) {
    ReplanningOptions& r = o.replanning;
    r.methods = o.compare.methods;
    r.hysteresis = parse_hysteresis(o.hysteresis);
    r.planning = o.planning.planning;
    r.method = o.planning.method;
    r.effort = o.planning.effort;
    r.program = o.compare.program;
    r.folder = o.compare.folder;
    const Replanning found = replan_over_time(scenario, o.scenario, r, progress);
    return o.json ? replanning_document(scenario, r, found) : replanning_table(scenario, r, found);
}

void compare_placements(CompareArguments o) {
    const Scenario scenario = load_scenario(o.scenario);
    o.compare.program = this_program();
    std::optional<TemporaryFolder> temporary;
    if (o.out.empty()) {
        temporary.emplace();
        o.compare.folder = temporary->path();
    } else {
        make_folder(o.out);
        o.compare.folder = o.out;
    }
    const bool shows = isatty(STDERR_FILENO) == 1;
    const auto progress = [&](const std::string& what) {
        if (shows) fmt::print(stderr, "\r{}\033[K", what);
    };
    const bool over_time = !o.replanning.intervals.empty();
    const std::string text = over_time ? compared_over_time(scenario, o, progress) : compared(scenario, o, progress);
    if (shows) fmt::print(stderr, "\r\033[K");
    print(text);
}

// The options of placements over time, which leave out those that are about one moment.
void add_replanning_options(CLI::App& command, CompareArguments& o) {
    CLI::Option* replan = command
                              .add_option("--replan", o.replanning.intervals,
                                          "placements over time: comma-separated numbers of steps after which a "
                                          "placement is made anew, of what was seen until then; 0: never")
                              ->delimiter(',')
                              ->check(CLI::Range(std::int64_t{0}, std::int64_t{100'000}));
    CLI::Option* steps = command.add_option("--steps", o.replanning.steps, "of a batch each, with --replan")
                             ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000}))
                             ->needs(replan);
    replan->needs(steps);
    command
        .add_option(
            "--hysteresis", o.hysteresis,
            "with --replan: a placement is taken where until the next one it saves more than 1 + this times its "
            "migration (0); none: always")
        ->needs(replan);
    for (const char* other : {"--batches", "--learn", "--write-program"}) replan->excludes(command.get_option(other));
}

}  // namespace

void add_compare_command(CLI::App& app) {
    auto options = std::make_shared<CompareArguments>();
    CLI::App* command = app.add_subcommand("compare", "One scenario under several placements, side by side");
    command->add_option("SCENARIO", options->scenario, "moesim.scenario/1 file: model, cluster and routing")
        ->required();
    command->add_option("--methods", options->compare.methods, "comma-separated: " + planner_method_names())
        ->delimiter(',')
        ->transform(without_spaces, "", "")
        ->required();
    command->add_option("--batches", options->compare.batches, "that placements are judged on (4)")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1000}));
    command->add_flag("--json", options->json, "a document on stdout instead of the table");
    command->add_option("--out", options->out,
                        "a folder for the placements, the scenarios that were run, and their results");
    add_planning_options(*command, options->planning);
    add_replanning_options(*command, *options);
    command->callback([options, command] {
        check_options_are_used(*command, options->compare.methods);
        compare_placements(*options);
    });
}

}  // namespace moesim
