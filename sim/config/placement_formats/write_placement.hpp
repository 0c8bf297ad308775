#pragma once
#include <string>

#include "config/placement_document.hpp"
#include "config/placement_formats/placement_format.hpp"

namespace moesim {

// The text of a file of that format, a layer a line. What the format has no place for (name, method) is left out.
// Throws InputError, naming the placement, where positions hold different numbers of copies, which only
// moesim.placement/1 can say.
std::string placement_text(const PlacementDocument& document, PlacementFormat format);

}  // namespace moesim
