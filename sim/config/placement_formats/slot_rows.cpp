#include "config/placement_formats/slot_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

SlotRows parse_slot_rows(const JsonValue& rows) {
    SlotRows all;
    std::uint32_t last = 0;
    const std::vector<JsonValue> layers = rows.elements(1, max_placed_layers);
    for (const JsonValue& layer : layers) {
        const bool first = all.empty();
        const std::size_t low = first ? 1 : all[0].size();
        const std::size_t high = first ? max_positions * max_placed_experts : low;
        all.push_back(parse_ids(layer, low, high, max_placed_experts));
        last = std::max(last, *std::max_element(all.back().begin(), all.back().end()));
    }
    for (std::size_t l = 0; l < all.size(); ++l) require_all_experts(layers[l], {all[l]}, last + 1);
    return all;
}

PlacementDocument shared_out(const JsonValue& where, const SlotRows& rows, std::optional<std::size_t> positions) {
    const std::size_t slots = rows[0].size();
    if (!positions)
        where.fail_with(fmt::format("{} slots a layer without the GPUs that they are on", slots),
                        "to be told the number of positions that share them (--positions)");
    if (slots % *positions != 0)
        where.fail_with(fmt::format("{} slots a layer", slots),
                        fmt::format("a multiple of {} (positions)", *positions));
    const auto each = static_cast<std::ptrdiff_t>(slots / *positions);
    PlacementDocument d;
    d.positions = *positions;
    for (const auto& row : rows) {
        d.experts = std::max<std::size_t>(d.experts, *std::max_element(row.begin(), row.end()) + 1);
        auto& layer = d.layers.emplace_back();
        for (auto slot = row.begin(); slot != row.end(); slot += each) layer.emplace_back(slot, slot + each);
    }
    return d;
}

SlotRows slot_rows(const PlacementDocument& document) {
    SlotRows rows;
    for (const auto& layer : document.layers) {
        auto& row = rows.emplace_back();
        for (const auto& held : layer) row.insert(row.end(), held.begin(), held.end());
    }
    return rows;
}

}  // namespace moesim
