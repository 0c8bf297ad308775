// Recorded routings in JSON. The first byte states the format (a digit; anything else leaves it to the content), the
// rest is the file. SGLang's need a shape, which is two layers of two experts here.
#include "trace_round_trip.hpp"

using namespace moesim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    TraceOptions options;
    switch (data[0]) {
        case '1': options.format = TraceFormat::megatron; break;
        case '2': options.format = TraceFormat::vllm; break;
        case '3': options.format = TraceFormat::sglang; break;
        case '4': options.format = TraceFormat::eplb; break;
        default: break;
    }
    if (data[0] == '3' || data[0] == '5') options.layers = options.top_k = 2;
    fuzz::check_trace(fuzz::view(data, size).substr(1), options);
    return 0;
}
