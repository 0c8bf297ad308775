#pragma once
// Placements as documents have them, and as values.
#include <string>

#include "config/placement_document.hpp"
#include "placement/placement.hpp"

namespace moesim {

Placement to_placement(const PlacementDocument& document);

// Slots in ascending order of their experts; the name is all that it says beside.
PlacementDocument to_document(const Placement& placement, std::string name);

}  // namespace moesim
