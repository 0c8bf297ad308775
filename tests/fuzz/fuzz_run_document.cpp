#include "calibrate/execute/run_document.hpp"
#include "round_trip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    moesim::fuzz::check_round_trip(moesim::fuzz::view(data, size),
                                   [](const auto& json) { return moesim::parse_run(json, "input"); });
    return 0;
}
