// SimAI's topology text.
#include "config/topology_import/simai.hpp"
#include "round_trip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    moesim::fuzz::check_import(
        moesim::fuzz::view(data, size), [](std::string_view text) { return moesim::read_simai(text, "input"); },
        [](const auto& json) { return moesim::parse_topology(json, "written"); });
    return 0;
}
