#include "cli/trace_options.hpp"

#include <CLI/CLI.hpp>
#include <map>

namespace moesim {

void add_trace_options(CLI::App& command, TraceOptions& options) {
    static const std::map<std::string, TraceFormat> formats = {
        {"npy", TraceFormat::npy},       {"megatron", TraceFormat::megatron}, {"vllm", TraceFormat::vllm},
        {"sglang", TraceFormat::sglang}, {"eplb", TraceFormat::eplb},         {"csv", TraceFormat::csv}};
    command
        .add_option_function<std::string>(
            "--format", [&options](const std::string& name) { options.format = formats.at(name); },
            "of the trace; told by its content without this")
        ->check(CLI::IsMember(&formats));
    const auto count = [&](const char* name, std::optional<std::size_t>& value, const char* what) {
        command.add_option(name, value, what)->check(CLI::Range(std::size_t{1}, std::size_t{16384}));
    };
    count("--layers", options.layers, "of the trace, where its format does not say (sglang)");
    count("--top-k", options.top_k, "of the trace, where its format does not say (sglang)");
    count("--experts", options.experts, "of a layer, where the largest id does not tell");
}

}  // namespace moesim
