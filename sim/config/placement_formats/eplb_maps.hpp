#pragma once
// The three maps that EPLB's rebalance_experts returns, as JSON under their names there:
//   phy2log [layer][slot]: the expert in it
//   log2phy [layer][expert][copy]: the slots of an expert, -1 after the last
//   logcnt  [layer][expert]: how many copies it has
#include "config/placement_formats/slot_rows.hpp"

namespace moesim {

// From phy2log or, where it is missing, log2phy. What else is there of the three must say the same; other keys are
// passed over. Throws InputError.
PlacementDocument parse_eplb_maps(const JsonValue& value, std::optional<std::size_t> positions);
nlohmann::ordered_json eplb_maps(const PlacementDocument& document);

}  // namespace moesim
