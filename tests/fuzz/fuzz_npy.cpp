// The content of a .npy file of routings.
#include "trace_round_trip.hpp"

using namespace moesim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    TraceOptions options;
    options.format = TraceFormat::npy;
    fuzz::check_trace(fuzz::view(data, size), options);
    return 0;
}
