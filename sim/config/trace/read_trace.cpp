#include "config/trace/read_trace.hpp"

#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"
#include "config/trace/csv.hpp"
#include "config/trace/eplb.hpp"
#include "config/trace/megatron.hpp"
#include "config/trace/npy_trace.hpp"
#include "config/trace/served.hpp"
#include "config/trace/trace_format.hpp"

namespace moesim {

RecordedRouting read_trace(const std::filesystem::path& path, const TraceOptions& options) {
    return parse_trace(read_file(path, max_trace_bytes), path.string(), options);
}

RoutingTrace read_token_trace(const std::filesystem::path& path) {
    RecordedRouting recorded = read_trace(path, {});
    auto* trace = std::get_if<RoutingTrace>(&recorded);
    if (trace == nullptr)
        throw InputError(path.string() + ": found loads without tokens, expected a routing of each token");
    return std::move(*trace);
}

RecordedRouting parse_trace(std::string_view bytes, const std::string& file, const TraceOptions& options) {
    refuse_containers(bytes, file);
    switch (options.format) {
        case TraceFormat::npy: return read_npy_trace(bytes, file, options);
        case TraceFormat::megatron: return read_megatron_trace(bytes, file, options);
        case TraceFormat::vllm: return read_vllm_trace(bytes, file, options);
        case TraceFormat::sglang: return read_sglang_trace(bytes, file, options);
        case TraceFormat::eplb: return read_eplb_load(bytes, file, options);
        case TraceFormat::csv: return read_csv_trace(bytes, file, options);
        case TraceFormat::by_content: break;
    }
    TraceOptions told = options;
    told.format = format_of(bytes, file);
    if (told.format == TraceFormat::vllm) return read_served_trace(bytes, file, told);  // of either server
    return parse_trace(bytes, file, told);
}

}  // namespace moesim
