#include "config/placement_formats/eplb_maps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace moesim {
namespace {

using SlotsOf = std::vector<std::vector<std::uint32_t>>;  // [expert][copy]

SlotsOf slots_of(const std::vector<std::uint32_t>& row, std::size_t experts) {
    SlotsOf slots(experts);
    for (std::size_t s = 0; s < row.size(); ++s) slots[row[s]].push_back(static_cast<std::uint32_t>(s));
    return slots;
}

// One expert's slots in ascending order.
std::vector<std::uint32_t> parse_copies(const JsonValue& value) {
    if (!value.json->is_array()) value.fail("an array of slots, -1 after the last");
    std::vector<std::uint32_t> slots;
    bool over = false;
    for (std::size_t c = 0; c < value.json->size(); ++c) {
        const std::int64_t slot = value.element(c).integer(-1, over ? -1 : std::int64_t{UINT32_MAX} - 1);
        over = slot < 0;
        if (!over) slots.push_back(static_cast<std::uint32_t>(slot));
    }
    if (slots.empty()) value.fail_with("no slot", "at least one");
    std::sort(slots.begin(), slots.end());
    return slots;
}

// phy2log of a layer's log2phy: every slot once.
std::vector<std::uint32_t> row_of(const JsonValue& layer) {
    const std::vector<JsonValue> experts = layer.elements(1, max_placed_experts);
    SlotsOf slots;
    std::size_t count = 0;
    for (const JsonValue& expert : experts) count += slots.emplace_back(parse_copies(expert)).size();
    constexpr std::uint32_t nobody = UINT32_MAX;
    std::vector<std::uint32_t> row(count, nobody);
    for (std::size_t e = 0; e < slots.size(); ++e)
        for (const std::uint32_t slot : slots[e]) {
            if (slot >= count || row[slot] != nobody)
                experts[e].fail_with(fmt::format("slot {}{}", slot, slot < count ? " a second time" : ""),
                                     fmt::format("each of the {} slots of the layer once", count));
            row[slot] = static_cast<std::uint32_t>(e);
        }
    return row;
}

SlotRows rows_of(const JsonValue& log2phy) {
    SlotRows rows;
    for (const JsonValue& layer : log2phy.elements(1, max_placed_layers)) {
        rows.push_back(row_of(layer));
        if (rows.back().size() != rows[0].size())
            layer.fail_with(fmt::format("{} slots", rows.back().size()),
                            fmt::format("{}, as in the first layer", rows[0].size()));
    }
    return rows;
}

void check_log2phy(const JsonValue& log2phy, const SlotRows& rows, std::size_t experts) {
    const std::vector<JsonValue> layers = log2phy.elements(rows.size(), rows.size());
    for (std::size_t l = 0; l < rows.size(); ++l) {
        const SlotsOf slots = slots_of(rows[l], experts);
        const std::vector<JsonValue> copies = layers[l].elements(experts, experts);
        for (std::size_t e = 0; e < experts; ++e)
            if (parse_copies(copies[e]) != slots[e])
                copies[e].fail_with("other slots", fmt::format("those of expert {} in phy2log", e));
    }
}

void check_logcnt(const JsonValue& logcnt, const SlotRows& rows, std::size_t experts) {
    const std::vector<JsonValue> layers = logcnt.elements(rows.size(), rows.size());
    for (std::size_t l = 0; l < rows.size(); ++l) {
        const SlotsOf slots = slots_of(rows[l], experts);
        const auto counts = parse_ids(layers[l], experts, experts, std::size_t{UINT32_MAX});
        for (std::size_t e = 0; e < experts; ++e)
            if (counts[e] != slots[e].size())
                layers[l].element(e).fail(fmt::format("{}, the slots of expert {}", slots[e].size(), e));
    }
}

}  // namespace

PlacementDocument parse_eplb_maps(const JsonValue& value, std::optional<std::size_t> positions) {
    const JsonValue phy2log = value.member("phy2log"), log2phy = value.member("log2phy"),
                    logcnt = value.member("logcnt");
    const bool direct = phy2log.present();
    const SlotRows rows = direct ? parse_slot_rows(phy2log) : rows_of(log2phy);
    PlacementDocument d = shared_out(direct ? phy2log : log2phy, rows, positions);
    for (std::size_t l = 0; l < rows.size(); ++l)
        require_all_experts((direct ? phy2log : log2phy).element(l), {rows[l]}, d.experts);
    if (direct && log2phy.present()) check_log2phy(log2phy, rows, d.experts);
    if (logcnt.present()) check_logcnt(logcnt, rows, d.experts);
    return d;
}

nlohmann::ordered_json eplb_maps(const PlacementDocument& document) {
    const SlotRows rows = slot_rows(document);
    std::vector<SlotsOf> layers;
    std::size_t most = 0;
    for (const auto& row : rows) {
        layers.push_back(slots_of(row, document.experts));
        for (const auto& slots : layers.back()) most = std::max(most, slots.size());
    }
    nlohmann::ordered_json log2phy = nlohmann::ordered_json::array(), logcnt = log2phy;
    for (const SlotsOf& layer : layers) {
        std::vector<std::vector<std::int64_t>> padded;
        std::vector<std::size_t> counts;
        for (const auto& slots : layer) {
            counts.push_back(slots.size());
            padded.emplace_back(slots.begin(), slots.end()).resize(most, -1);
        }
        log2phy.push_back(padded);
        logcnt.push_back(counts);
    }
    return {{"phy2log", rows}, {"log2phy", std::move(log2phy)}, {"logcnt", std::move(logcnt)}};
}

}  // namespace moesim
