#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "config/placement_formats/read_placement.hpp"

namespace moesim {

// What a placement is like, in a few lines: layers, positions, copies of experts, and several of them at one position.
std::string table(const ReadPlacement& placement);

// The same as a document, "moesim.placement-report/1".
nlohmann::ordered_json document(const ReadPlacement& placement);

}  // namespace moesim
