#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <sstream>

#include "base/error.hpp"
#include "base/file.hpp"
#include "cli/output.hpp"
#include "cli/progress_bar.hpp"
#include "cli/schema_of.hpp"
#include "cli/workload.hpp"
#include "config/scenario_json.hpp"
#include "config/trace/alltoallv.hpp"
#include "config/trace/write_trace.hpp"
#include "study/routing_of.hpp"
#include "workload/generate.hpp"

namespace moesim {
namespace {

enum class Format : unsigned char { npy, megatron, alltoallv };

struct WorkloadGenerateArguments {
    std::string input, out;
    Format format = Format::npy;
    std::int64_t layer = 0;
    std::optional<std::size_t> tokens;
    std::optional<std::uint64_t> seed;
};

void write_traffic(const WorkloadGenerateArguments& o, const Scenario& s) {
    if (o.layer >= s.model.moe_layers)
        throw InputError(
            fmt::format("--layer: found {}, expected a layer from 0 to {}", o.layer, s.model.moe_layers - 1));
    const auto bytes = dispatch_bytes(s, o.input, LayerId(static_cast<std::size_t>(o.layer)));
    std::ostringstream content;
    write_alltoallv_matrix(content, bytes);
    write_file(o.out, content.str());
    print(fmt::format("written      {} (bytes from each of {} ranks to each, dispatch of layer {})\n", o.out,
                      bytes.rows(), o.layer));
}

void write_trace(const WorkloadGenerateArguments& o, const RoutingTrace& trace) {
    std::ostringstream content;
    o.format == Format::npy ? write_npy_trace(content, trace) : write_megatron_trace(content, trace);
    write_file(o.out, content.str());
    print(fmt::format("written      {} ({} tokens, {} layers, top-{})\n", o.out, trace.tokens, trace.layers,
                      trace.top_k));
}

void generate_file(const WorkloadGenerateArguments& o) {
    if (schema_of(o.input) == "moesim.workload/1") {
        if (o.format == Format::alltoallv)
            throw InputError(o.input + ": found a workload model, expected a scenario, since traffic needs a cluster");
        const WorkloadModel model = load_workload_model(o.input);
        write_trace(o, generate(model, o.tokens.value_or(static_cast<std::size_t>(model.tokens)), o.seed.value_or(1)));
        return;
    }
    if (o.tokens)
        throw InputError(
            "--tokens: found it beside a scenario, whose batch says how many there are, expected it "
            "beside a workload model");
    Scenario s = load_scenario(o.input);
    if (o.seed) s.seed = *o.seed;
    if (o.format == Format::alltoallv) {
        write_traffic(o, s);
        return;
    }
    ProgressBar bar;
    const RoutingTrace trace = record(s, o.input, [&](double share) { bar.show("routing", share); });
    bar.clear();
    write_trace(o, trace);
}

}  // namespace

void add_workload_generate(CLI::App& group) {
    static const std::map<std::string, Format> formats = {
        {"npy", Format::npy}, {"megatron", Format::megatron}, {"alltoallv", Format::alltoallv}};
    auto options = std::make_shared<WorkloadGenerateArguments>();
    CLI::App* command =
        group.add_subcommand("generate", "Writes the routing of a scenario or a workload model for other programs");
    command->add_option("INPUT", options->input, "moesim.scenario/1 file, a result.json, or a workload model")
        ->required();
    command->add_option("-o,--out", options->out, "the file to write")->required();
    command
        ->add_option_function<std::string>(
            "--format", [options](const std::string& name) { options->format = formats.at(name); },
            "npy: [tokens][layers][top_k]; megatron: Megatron-Core's JSON lines; alltoallv: the byte matrix "
            "of one layer's dispatch for nccl-tests")
        ->required()
        ->check(CLI::IsMember(&formats));
    command->add_option("--layer", options->layer, "of the dispatch, for alltoallv (0)")->check(CLI::Range(0, 999));
    command->add_option("--tokens", options->tokens, "of a workload model; else as many as it was fitted to")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30));
    command->add_option("--seed", options->seed, "in the place of the scenario's seed, or a model's 1")
        ->check(CLI::Range(std::uint64_t{0}, static_cast<std::uint64_t>(INT64_MAX)));
    command->callback([options] { generate_file(*options); });
}

}  // namespace moesim
