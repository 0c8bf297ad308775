#include "config/placement_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace moesim {
namespace {

constexpr double most = 1e300;

PlacementObjective parse_objective(const JsonValue& value) {
    const JsonObject o(value, {"name", "value", "bound"});
    PlacementObjective objective;
    objective.name = o["name"].line();
    objective.value = o["value"].number(-most, most);
    if (o["bound"].present()) objective.bound = o["bound"].number(-most, most);
    return objective;
}

}  // namespace

std::size_t PlacementDocument::copies(std::size_t layer) const {
    return std::accumulate(layers[layer].begin(), layers[layer].end(), std::size_t{0},
                           [](std::size_t sum, const auto& held) { return sum + held.size(); });
}

std::vector<std::uint32_t> parse_ids(const JsonValue& array, std::size_t low, std::size_t high, std::size_t end) {
    const std::string expected =
        low == high ? fmt::format("an array of {} ids", low) : fmt::format("an array of {} to {} ids", low, high);
    if (!array.present() || !array.json->is_array()) array.fail(expected);
    if (array.json->size() < low || array.json->size() > high)
        array.fail_with(fmt::format("an array of {}", array.json->size()), expected);
    std::vector<std::uint32_t> ids;
    ids.reserve(array.json->size());
    for (const auto& id : *array.json) {
        // Where one stands is only put into words where it is wrong: there are many.
        if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= end)
            JsonValue{&id, array.file, fmt::format("{}[{}]", array.path, ids.size())}.fail(
                fmt::format("an id from 0 to {}", end - 1));
        ids.push_back(id.get<std::uint32_t>());
    }
    return ids;
}

void require_all_experts(const JsonValue& where, const std::vector<std::vector<std::uint32_t>>& layer,
                         std::size_t experts) {
    std::vector<bool> there(experts);
    for (const auto& held : layer)
        for (const std::uint32_t e : held) there[e] = true;
    const auto missing = std::find(there.begin(), there.end(), false);
    if (missing != there.end())
        where.fail_with(fmt::format("no copy of expert {}", missing - there.begin()),
                        fmt::format("each of the {} experts at least once", experts));
}

PlacementDocument parse_placement(const nlohmann::json& json, const std::string& file, const std::string& path) {
    const JsonObject o({&json, file, path}, "moesim.placement/1",
                       {"schema", "name", "source", "method", "objective", "experts", "positions", "layers"});
    PlacementDocument d;
    d.name = o["name"].line();
    if (o["source"].present()) d.source = o["source"].text();
    if (o["method"].present()) d.method = o["method"].line();
    if (o["objective"].present()) d.objective = parse_objective(o["objective"]);
    d.experts = static_cast<std::size_t>(o["experts"].integer(1, max_placed_experts));
    d.positions = static_cast<std::size_t>(o["positions"].integer(1, max_positions));
    for (const JsonValue& layer : o["layers"].elements(1, max_placed_layers)) {
        auto& positions = d.layers.emplace_back();
        for (const JsonValue& held : layer.elements(d.positions, d.positions))
            positions.push_back(parse_ids(held, 0, max_placed_experts, d.experts));
        require_all_experts(layer, positions, d.experts);
    }
    return d;
}

nlohmann::ordered_json to_json(const PlacementDocument& d) {
    nlohmann::ordered_json j = {{"schema", "moesim.placement/1"}, {"name", d.name}};
    if (!d.source.empty()) j["source"] = d.source;
    if (!d.method.empty()) j["method"] = d.method;
    if (d.objective) {
        j["objective"] = {{"name", d.objective->name}, {"value", d.objective->value}};
        if (d.objective->bound) j["objective"]["bound"] = *d.objective->bound;
    }
    j["experts"] = d.experts;
    j["positions"] = d.positions;
    j["layers"] = d.layers;
    return j;
}

}  // namespace moesim
