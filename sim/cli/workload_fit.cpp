#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/file.hpp"
#include "cli/output.hpp"
#include "cli/progress_bar.hpp"
#include "cli/trace_options.hpp"
#include "cli/workload.hpp"
#include "config/trace/read_trace.hpp"
#include "study/fidelity.hpp"
#include "workload/fit.hpp"

namespace moesim {
namespace {

struct Options {
    std::string trace, out, name, source;
    TraceOptions reading;
    std::size_t sources = 8;
    bool check = true, json = false;
};

// Loads alone, as EPLB has them, say nothing of a token's k choices.
std::size_t top_k_of_loads(const Options& o) {
    if (!o.reading.top_k) throw InputError(o.trace + ": found loads without tokens, expected --top-k beside them");
    return *o.reading.top_k;
}

nlohmann::ordered_json json(const Fidelity& f) {
    return {{"load_cv_worst_error", f.load_cv.worst_error()},
            {"load_cv_mean_error", f.load_cv.mean_error()},
            {"mutual_information_worst_error", f.information.worst_error()},
            {"mutual_information_mean_error", f.information.mean_error()},
            {"adjacent_traffic_contiguous_error", f.adjacent_contiguous},
            {"adjacent_traffic_optimised_error", f.adjacent_optimised},
            {"dispatch_traffic_contiguous_error", f.dispatch_contiguous},
            {"dispatch_traffic_optimised_error", f.dispatch_optimised}};
}

std::string table(const HeldOut& h) {
    std::string text = fmt::format(
        "held against {} recorded tokens that it was not fitted to (mean of two folds), errors:\n\n"
        "                                             fitted   popularity   the other\n"
        "                                              model         only        half\n",
        h.tokens);
    const auto line = [&](const char* what, double fitted, double popularity, double other) {
        text +=
            fmt::format("{:<42} {:>7.1f}%  {:>10.1f}%  {:>9.1f}%\n", what, fitted * 100, popularity * 100, other * 100);
    };
    const auto pair = [&](const char* what, const LayerPairs& fitted, const LayerPairs& popularity, bool worst) {
        text += fmt::format("{:<42} {:>7.1f}%  {:>10.1f}%\n", what,
                            (worst ? fitted.worst_error() : fitted.mean_error()) * 100,
                            (worst ? popularity.worst_error() : popularity.mean_error()) * 100);
    };
    pair("load CV, worst layer", h.fitted.load_cv, h.popularity.load_cv, true);
    pair("load CV, mean of the layers", h.fitted.load_cv, h.popularity.load_cv, false);
    pair("mutual information, worst pair of layers", h.fitted.information, h.popularity.information, true);
    pair("mutual information, mean", h.fitted.information, h.popularity.information, false);
    line("layer-to-layer traffic, contiguous", h.fitted.adjacent_contiguous, h.popularity.adjacent_contiguous,
         h.recorded.adjacent_contiguous);
    line("layer-to-layer traffic, optimised", h.fitted.adjacent_optimised, h.popularity.adjacent_optimised,
         h.recorded.adjacent_optimised);
    line("dispatch traffic, contiguous", h.fitted.dispatch_contiguous, h.popularity.dispatch_contiguous,
         h.recorded.dispatch_contiguous);
    line("dispatch traffic, optimised", h.fitted.dispatch_optimised, h.popularity.dispatch_optimised,
         h.recorded.dispatch_optimised);
    text +=
        "\nTraffic is that between 8 GPUs, its distance in the Frobenius norm; optimised: experts placed so that "
        "tokens\n"
        "stay on their GPU from layer to layer.\n";
    return text;
}

void fit(const Options& o) {
    RecordedRouting recorded = read_trace(o.trace, o.reading);
    FitOptions options;
    options.name = o.name.empty() ? std::filesystem::path(o.trace).stem().string() : o.name;
    options.source = o.source.empty() ? "fitted to " + std::filesystem::path(o.trace).filename().string() : o.source;
    options.sources = o.sources;
    ProgressBar bar;
    options.progress = [&](double share) { bar.show("fitting", share); };
    const auto* trace = std::get_if<RoutingTrace>(&recorded);
    const WorkloadModel model = trace != nullptr
                                    ? fit_workload(*trace, options)
                                    : fit_popularity(std::get<LoadTable>(recorded), top_k_of_loads(o), options);
    bar.clear();
    std::optional<HeldOut> held;
    if (o.check && trace != nullptr && trace->layers > 1 && trace->tokens >= 256) held = hold_out(*trace, options);
    const std::string document = to_json(model).dump(0) + "\n";
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
    auto options = std::make_shared<Options>();
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
