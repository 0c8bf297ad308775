#include "config/workload_model.hpp"

#include "round_trip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    moesim::fuzz::check_round_trip(moesim::fuzz::view(data, size),
                                   [](const auto& json) { return moesim::parse_workload_model(json, "input"); });
    return 0;
}
