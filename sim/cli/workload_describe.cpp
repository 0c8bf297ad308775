#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/error.hpp"
#include "base/file.hpp"
#include "cli/output.hpp"
#include "cli/progress_bar.hpp"
#include "cli/schema_of.hpp"
#include "cli/trace_options.hpp"
#include "cli/workload.hpp"
#include "config/json_text.hpp"
#include "config/scenario_json.hpp"
#include "config/trace/read_trace.hpp"
#include "result/workload_report.hpp"
#include "study/routing_of.hpp"
#include "workload/generate.hpp"
#include "workload/measures.hpp"

namespace moesim {
namespace {

struct WorkloadDescribeArguments {
    std::string input;
    TraceOptions reading;
    std::optional<std::string> out;
    std::optional<std::size_t> into;
    std::int64_t group = 0;
    bool json = false;
};

// Statistics of whatever was given, and what to call it. Matrices of transitions take 8 experts^2 bytes a pair of
// layers, so beyond a GiB they are left out.
StatisticsOptions statistics_options(const WorkloadDescribeArguments& o, std::size_t layers, std::size_t experts) {
    StatisticsOptions s;
    s.group_tokens = o.group;
    s.transitions = layers * experts * experts * sizeof(std::int64_t) <= (std::size_t{1} << 30);
    if (!s.transitions && o.into)
        throw InputError(fmt::format("--into: found {} layers of {} experts, expected fewer for a map of transitions",
                                     layers, experts));
    return s;
}

RoutingStatistics statistics_of_input(const WorkloadDescribeArguments& o, const std::string& schema,
                                      const LayerProgress& progress) {
    if (schema == "moesim.scenario/1" || schema == "moesim.result/1") {
        const Scenario s = load_scenario(o.input);
        const auto options = statistics_options(o, static_cast<std::size_t>(s.model.moe_layers),
                                                static_cast<std::size_t>(s.model.experts));
        return statistics_of(s, o.input, options, true, progress);
    }
    const WorkloadModel model = load_workload_model(o.input);
    constexpr std::int64_t most_tokens = 100'000;
    const auto tokens = static_cast<std::size_t>(std::min(model.tokens, most_tokens));
    return statistics_of(generate(model, tokens, 1), statistics_options(o, model.layers.size(), model.experts));
}

LayerId strongest_transition(const RoutingStatistics& s) {
    LayerId best(1);
    double most = -1;
    for (std::size_t l = 1; l < s.layers(); ++l) {
        const double nats = mutual_information(s.first_choice_counts(LayerId(l)));
        if (nats > most) most = nats, best = LayerId(l);
    }
    return best;
}

void write_all(const std::string& folder, const std::vector<std::pair<std::string, std::string>>& files) {
    std::vector<std::unique_ptr<PendingFile>> pending;
    pending.reserve(files.size());
    for (const auto& [name, content] : files)
        pending.push_back(std::make_unique<PendingFile>(std::filesystem::path(folder) / name, content));
    for (const auto& file : pending) file->commit();
}

void show(const WorkloadDescribeArguments& o, const RoutingStatistics& s) {
    const HeatMap load = load_heat_map(s);
    std::optional<HeatMap> transition;
    if (s.options().transitions && s.layers() > 1) {
        const LayerId into = o.into ? LayerId(*o.into) : strongest_transition(s);
        if (into.value() == 0 || into.value() >= s.layers())
            throw InputError(
                fmt::format("--into: found {}, expected a layer from 1 to {}", into.value(), s.layers() - 1));
        transition = transition_heat_map(s, into);
    }
    std::string document;
    if (o.out || o.json) document = workload_json(s, clipped(o.input, 4096)).dump(1) + "\n";
    if (o.out) {
        make_folder(*o.out);
        std::vector<std::pair<std::string, std::string>> files = {{"description.json", document},
                                                                  {"load.svg", svg(load)}};
        if (transition) files.emplace_back("transition.svg", svg(*transition));
        write_all(*o.out, files);
    }
    if (o.json) {
        print(document);
        return;
    }
    print(workload_table(s, o.input) + "\n" + text(load) + (transition ? "\n" + text(*transition) : ""));
    if (o.out)
        print(fmt::format("\nwritten      {0}/description.json, {0}/load.svg{1}\n", *o.out,
                          transition ? fmt::format(", {}/transition.svg", *o.out) : ""));
}

void show(const WorkloadDescribeArguments& o, const LoadTable& loads) {
    const HeatMap load = load_heat_map(loads);
    const std::string document = workload_json(loads).dump(1) + "\n";
    if (o.out) {
        make_folder(*o.out);
        write_all(*o.out, {{"description.json", document}, {"load.svg", svg(load)}});
    }
    print(o.json ? document : workload_table(loads) + "\n" + text(load));
    if (o.out && !o.json) print(fmt::format("\nwritten      {0}/description.json, {0}/load.svg\n", *o.out));
}

void describe(const WorkloadDescribeArguments& o) {
    const std::string schema = schema_of(o.input);
    ProgressBar bar;
    const LayerProgress progress = [&](double share) { bar.show("routing", share); };
    if (schema.rfind("moesim.", 0) == 0) {
        const RoutingStatistics s = statistics_of_input(o, schema, progress);
        bar.clear();
        show(o, s);
        return;
    }
    const RecordedRouting recorded = read_trace(o.input, o.reading);
    if (const auto* loads = std::get_if<LoadTable>(&recorded)) {
        show(o, *loads);
        return;
    }
    const auto& trace = std::get<RoutingTrace>(recorded);
    show(o, statistics_of(trace, statistics_options(o, trace.layers, trace.experts)));
}

}  // namespace

void add_workload_describe(CLI::App& group) {
    auto options = std::make_shared<WorkloadDescribeArguments>();
    CLI::App* command = group.add_subcommand("describe", "Shows a routing: its load, and what ties its layers");
    command
        ->add_option("INPUT", options->input,
                     "recorded routing (npy, megatron, vllm, sglang, eplb, csv), workload model, or scenario")
        ->required();
    command->add_option("--into", options->into, "layer whose transition map is drawn; else the most predictable one")
        ->check(CLI::Range(std::size_t{1}, std::size_t{4095}));
    command->add_option("--group", options->group, "tokens of a decoding step, whose distinct experts are counted")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
    command->add_option("--out", options->out, "folder for description.json, load.svg and transition.svg");
    command->add_flag("--json", options->json, "the description document on stdout instead of the table");
    add_trace_options(*command, options->reading);
    command->callback([options] { describe(*options); });
}

}  // namespace moesim
