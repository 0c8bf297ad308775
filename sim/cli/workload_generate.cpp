#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <sstream>

#include "base/error.hpp"
#include "base/file.hpp"
#include "cli/output.hpp"
#include "cli/progress_bar.hpp"
#include "cli/workload.hpp"
#include "config/scenario_json.hpp"
#include "config/trace/alltoallv.hpp"
#include "config/trace/write_trace.hpp"
#include "study/routing_of.hpp"

namespace moesim {
namespace {

enum class Format : unsigned char { npy, megatron, alltoallv };

struct Options {
    std::string scenario, out;
    Format format = Format::npy;
    std::int64_t layer = 0;
    std::optional<std::uint64_t> seed;
};

void generate_file(const Options& o) {
    Scenario s = load_scenario(o.scenario);
    if (o.seed) s.seed = *o.seed;
    std::ostringstream content;
    std::string what;
    if (o.format == Format::alltoallv) {
        if (o.layer >= s.model.moe_layers)
            throw InputError(
                fmt::format("--layer: found {}, expected a layer from 0 to {}", o.layer, s.model.moe_layers - 1));
        const auto bytes = dispatch_bytes(s, o.scenario, LayerId(static_cast<std::size_t>(o.layer)));
        write_alltoallv_matrix(content, bytes);
        what = fmt::format("bytes from each of {} ranks to each, dispatch of layer {}", bytes.rows(), o.layer);
    } else {
        ProgressBar bar;
        const RoutingTrace trace = record(s, o.scenario, [&](double share) { bar.show("routing", share); });
        bar.clear();
        o.format == Format::npy ? write_npy_trace(content, trace) : write_megatron_trace(content, trace);
        what = fmt::format("{} tokens, {} layers, top-{}", trace.tokens, trace.layers, trace.top_k);
    }
    write_file(o.out, content.str());
    print(fmt::format("written      {} ({})\n", o.out, what));
}

}  // namespace

void add_workload_generate(CLI::App& group) {
    static const std::map<std::string, Format> formats = {
        {"npy", Format::npy}, {"megatron", Format::megatron}, {"alltoallv", Format::alltoallv}};
    auto options = std::make_shared<Options>();
    CLI::App* command = group.add_subcommand("generate", "Writes a scenario's routing for other programs");
    command->add_option("SCENARIO", options->scenario, "moesim.scenario/1 file, or a result.json")->required();
    command->add_option("-o,--out", options->out, "the file to write")->required();
    command
        ->add_option("--format", options->format,
                     "npy: [tokens][layers][top_k]; megatron: Megatron-Core's JSON lines; alltoallv: the byte matrix "
                     "of one layer's dispatch for nccl-tests")
        ->required()
        ->transform(CLI::CheckedTransformer(formats));
    command->add_option("--layer", options->layer, "of the dispatch, for alltoallv")->check(CLI::Range(0, 999));
    command->add_option("--seed", options->seed, "in the place of the scenario's seed")
        ->check(CLI::Range(std::uint64_t{0}, static_cast<std::uint64_t>(INT64_MAX)));
    command->callback([options] { generate_file(*options); });
}

}  // namespace moesim
