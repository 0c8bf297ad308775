#include "config/placement_formats/read_placement.hpp"
#include "config/placement_formats/write_placement.hpp"
#include "round_trip.hpp"

// A placement in any format, its slots on two positions where it does not say: what is taken is written, as it came and
// as ours, as a text that reads back to the same placement.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace moesim;
    const auto read = [](std::string_view text) { return read_placement(parse_json(text, "input"), "input", "$", 2); };
    ReadPlacement placement;
    try {
        placement = read(fuzz::view(data, size));
    } catch (const InputError&) {
        return 0;
    }
    const PlacementDocument& document = placement.document;
    if (!(read(placement_text(document, PlacementFormat::moesim)).document == document)) std::abort();
    try {
        const ReadPlacement again = read(placement_text(document, placement.format));
        if (again.format != placement.format || again.document.layers != document.layers) std::abort();
    } catch (const InputError&) {
        // Only vLLM-Ascend's and our own lists can differ in length.
        if (placement.format != PlacementFormat::vllm_ascend) std::abort();
    }
    return 0;
}
