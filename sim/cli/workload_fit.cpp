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
#include "cli/trace_options.hpp"
#include "cli/workload.hpp"
#include "config/json_text.hpp"
#include "config/trace/read_trace.hpp"
#include "study/fidelity.hpp"
#include "workload/fit.hpp"

namespace moesim {
namespace {

struct WorkloadFitArguments {
    std::string trace, out, name, source;
    TraceOptions reading;
    std::size_t sources = 8;
    bool check = true, json = false;
};

// Loads alone, as EPLB has them, say nothing of a token's k choices.
std::size_t top_k_of_loads(const WorkloadFitArguments& o) {
    if (!o.reading.top_k) throw InputError(o.trace + ": found loads without tokens, expected --top-k beside them");
    return *o.reading.top_k;
}

nlohmann::ordered_json json(const Errors& e) {
    return {{"load_cv_worst_error", e.load_cv_worst},
            {"load_cv_mean_error", e.load_cv_mean},
            {"mutual_information_worst_error", e.information_worst},
            {"mutual_information_mean_error", e.information_mean},
            {"adjacent_traffic_contiguous_error", e.adjacent_contiguous},
            {"adjacent_traffic_optimised_error", e.adjacent_optimised},
            {"dispatch_traffic_contiguous_error", e.dispatch_contiguous},
            {"dispatch_traffic_optimised_error", e.dispatch_optimised}};
}

std::string table(const HeldOut& h) {
    std::string text = fmt::format(
        "held against {} recorded tokens that it was not fitted to (mean of two folds), errors:\n\n"
        "                                             fitted   popularity    the half\n"
        "                                              model         only   it learned\n",
        h.tokens);
    const auto line = [&](const char* what, double Errors::*figure) {
        text += fmt::format("{:<42} {:>7.1f}%  {:>10.1f}%  {:>10.1f}%\n", what, h.fitted.*figure * 100,
                            h.popularity.*figure * 100, h.recorded.*figure * 100);
    };
    line("load CV, worst layer", &Errors::load_cv_worst);
    line("load CV, mean of the layers", &Errors::load_cv_mean);
    line("mutual information, worst pair of layers", &Errors::information_worst);
    line("mutual information, mean", &Errors::information_mean);
    line("layer-to-layer traffic, contiguous", &Errors::adjacent_contiguous);
    line("layer-to-layer traffic, optimised", &Errors::adjacent_optimised);
    line("dispatch traffic, contiguous", &Errors::dispatch_contiguous);
    line("dispatch traffic, optimised", &Errors::dispatch_optimised);
    text +=
        "\nThe last column is chance: how much the two halves of the recorded tokens differ. Traffic is that between "
        "8\n"
        "GPUs, its distance in the Frobenius norm; optimised: experts placed so that tokens stay on their GPU from\n"
        "layer to layer.\n";
    return text;
}

// The comparison, or nothing where the trace is too thin to be cut in two.
std::optional<HeldOut> checked(const WorkloadFitArguments& o, const RoutingTrace* trace, const FitOptions& options) {
    if (!o.check || trace == nullptr || trace->layers < 2 || trace->tokens < 256) return std::nullopt;
    try {
        return hold_out(*trace, options);
    } catch (const InputError&) {
        return std::nullopt;
    }
}

// Before the work: a wrong path should cost nothing.
void require_folder_of(const std::string& file) {
    const auto folder = std::filesystem::path(file).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder))
        throw InputError(fmt::format("{}: found no folder {}, expected one to write into", file, folder.string()));
}

void fit(const WorkloadFitArguments& o) {
    require_folder_of(o.out);
    RecordedRouting recorded = read_trace(o.trace, o.reading);
    FitOptions options;
    const std::filesystem::path file = o.trace;
    options.name = clipped(o.name.empty() ? file.stem().string() : o.name, 200);
    options.source = clipped(o.source.empty() ? "fitted to " + file.filename().string() : o.source, 2000);
    options.sources = o.sources;
    ProgressBar bar;
    options.progress = [&](double share) { bar.show("fitting", share); };
    const auto* trace = std::get_if<RoutingTrace>(&recorded);
    const WorkloadModel model = trace != nullptr
                                    ? fit_workload(*trace, options)
                                    : fit_popularity(std::get<LoadTable>(recorded), top_k_of_loads(o), options);
    bar.clear();
    const std::optional<HeldOut> held = checked(o, trace, options);
    const nlohmann::ordered_json written = to_json(model);
    // What could not be read back is not written.
    if (!(parse_workload_model(nlohmann::json(written), o.out) == model))
        throw InternalError("a fitted model that is another one when it is read back");
    const std::string document = written.dump(0) + "\n";
    write_file(o.out, document);
    if (o.json) {
        nlohmann::ordered_json j = {{"schema", "moesim.workload-fit/1"},
                                    {"model", o.out},
                                    {"bytes", document.size()},
                                    {"tokens", model.tokens},
                                    {"layers", model.layers.size()},
                                    {"experts", model.experts},
                                    {"top_k", model.top_k},
                                    {"sources", model.sources}};
        j["held_out"] = nullptr;
        if (held)
            j["held_out"] = {
                {"tokens", held->tokens}, {"fitted", json(held->fitted)}, {"popularity_only", json(held->popularity)}};
        print(j.dump(1) + "\n");
        return;
    }
    std::string text = fmt::format("{}: {} tokens, {} layers, top-{} of {} experts, {} sources\n\n", model.name,
                                   model.tokens, model.layers.size(), model.top_k, model.experts, model.sources);
    if (held) text += table(*held) + "\n";
    print(text + fmt::format("written      {} ({} kB)\n", o.out, (document.size() + 500) / 1000));
}

}  // namespace

void add_workload_fit(CLI::App& group) {
    auto options = std::make_shared<WorkloadFitArguments>();
    CLI::App* command = group.add_subcommand("fit", "Learns a small workload model from a recorded routing");
    command->add_option("TRACE", options->trace, "recorded routing: npy, megatron, vllm, sglang, eplb or csv")
        ->required();
    command->add_option("-o,--out", options->out, "the moesim.workload/1 file to write")->required();
    command->add_option("--name", options->name, "of the model; else the trace's file name");
    command->add_option("--source", options->source, "where the trace came from, a text for the model");
    command->add_option("--sources", options->sources, "runs of the trace that get a mix of their own")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    command->add_flag("!--no-check", options->check, "leaves out the comparison with held-out tokens");
    command->add_flag("--json", options->json, "one JSON document on stdout");
    add_trace_options(*command, options->reading);
    command->callback([options] { fit(*options); });
}

}  // namespace moesim
