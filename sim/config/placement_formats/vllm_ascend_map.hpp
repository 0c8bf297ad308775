#pragma once
// vLLM-Ascend's expert map: {"moe_layer_count": 1, "layer_list": [{"layer_id": 0, "device_count": 2, "device_list":
// [{"device_id": 0, "device_expert": [0, 1]}, {"device_id": 1, "device_expert": [2, 3]}]}]}
#include "config/placement_document.hpp"

namespace moesim {

// Layers and devices are in the order of their lists, as vLLM-Ascend takes them. Counts and places (layer_id,
// device_id) may be missing; where they are there, they must say the same. Other keys are passed over. Throws
// InputError.
PlacementDocument parse_vllm_ascend_map(const JsonValue& value);
nlohmann::ordered_json vllm_ascend_map(const PlacementDocument& document);

}  // namespace moesim
