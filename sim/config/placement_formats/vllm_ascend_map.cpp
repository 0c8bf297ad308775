#include "config/placement_formats/vllm_ascend_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace moesim {
namespace {

// A number that says again what the lists say; it may be missing.
void must_be(std::size_t n, const JsonValue& value, const char* why) {
    if (value.present())
        static_cast<void>(value.integer(static_cast<std::int64_t>(n), static_cast<std::int64_t>(n), why));
}

const JsonValue& object(const JsonValue& value) {
    if (!value.json->is_object()) value.fail("an object");
    return value;
}

}  // namespace

PlacementDocument parse_vllm_ascend_map(const JsonValue& value) {
    PlacementDocument d;
    const JsonValue list = value.member("layer_list");
    const std::vector<JsonValue> layers = list.elements(1, max_placed_layers);
    must_be(layers.size(), value.member("moe_layer_count"), "the layers in layer_list");
    for (const JsonValue& layer : layers) {
        must_be(d.layers.size(), object(layer).member("layer_id"), "its place in the list");
        const bool first = d.layers.empty();
        const std::vector<JsonValue> devices =
            layer.member("device_list").elements(first ? 1 : d.positions, first ? max_positions : d.positions);
        d.positions = devices.size();
        must_be(devices.size(), layer.member("device_count"), "the devices in device_list");
        auto& positions = d.layers.emplace_back();
        for (const JsonValue& device : devices) {
            must_be(positions.size(), object(device).member("device_id"), "its place in the list");
            positions.push_back(parse_ids(device.member("device_expert"), 0, max_placed_experts, max_placed_experts));
            for (const std::uint32_t e : positions.back()) d.experts = std::max<std::size_t>(d.experts, e + 1);
        }
    }
    if (d.experts == 0) list.fail_with("no expert at all", "at least one");
    for (std::size_t l = 0; l < layers.size(); ++l) require_all_experts(layers[l], d.layers[l], d.experts);
    return d;
}

nlohmann::ordered_json vllm_ascend_map(const PlacementDocument& document) {
    using Out = nlohmann::ordered_json;
    Out layers = Out::array();
    for (std::size_t l = 0; l < document.layers.size(); ++l) {
        Out devices = Out::array();
        for (std::size_t p = 0; p < document.positions; ++p)
            devices.push_back({{"device_id", p}, {"device_expert", document.layers[l][p]}});
        layers.push_back({{"layer_id", l}, {"device_count", document.positions}, {"device_list", std::move(devices)}});
    }
    return {{"moe_layer_count", document.layers.size()}, {"layer_list", std::move(layers)}};
}

}  // namespace moesim
