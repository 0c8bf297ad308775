#include "config/placement_formats/write_placement.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "config/json_text.hpp"
#include "config/placement_formats/eplb_maps.hpp"
#include "config/placement_formats/vllm_ascend_map.hpp"

namespace moesim {
namespace {

void require_equal_slots(const PlacementDocument& d, PlacementFormat format) {
    const std::size_t each = d.layers[0][0].size();
    for (std::size_t l = 0; l < d.layers.size(); ++l)
        for (std::size_t p = 0; p < d.positions; ++p)
            if (d.layers[l][p].size() != each)
                throw InputError(fmt::format(
                    "placement \"{}\": found {} copies at position {} of layer {} and {} at position 0 of layer 0, "
                    "expected equally many everywhere, since the format {} has a table of them",
                    clipped(d.name), d.layers[l][p].size(), p, l, each,
                    placement_format_names[static_cast<std::size_t>(format)]));
}

nlohmann::ordered_json document_of(const PlacementDocument& d, PlacementFormat format) {
    switch (format) {
        case PlacementFormat::moesim: break;
        case PlacementFormat::eplb: return eplb_maps(d);
        case PlacementFormat::sglang: return {{"physical_to_logical_map", slot_rows(d)}};
        case PlacementFormat::vllm_ascend: return vllm_ascend_map(d);
    }
    return to_json(d);
}

}  // namespace

std::string placement_text(const PlacementDocument& document, PlacementFormat format) {
    if (format != PlacementFormat::moesim) require_equal_slots(document, format);
    const nlohmann::ordered_json all = document_of(document, format);
    std::string text;
    for (const auto& [key, value] : all.items()) {
        text += fmt::format("{}\"{}\": ", text.empty() ? "{" : ",\n ", key);
        if (!value.is_array()) {
            text += value.dump();
            continue;
        }
        std::string rows;
        for (const auto& row : value) rows += (rows.empty() ? "[\n  " : ",\n  ") + row.dump();
        text += rows + "\n ]";
    }
    return text + "}\n";
}

}  // namespace moesim
