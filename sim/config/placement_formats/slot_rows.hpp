#pragma once
// Placements as others have them: a row of slots a layer, the first ones the first GPU's.
#include <optional>

#include "config/placement_document.hpp"

namespace moesim {

// [layer][slot]: experts
using SlotRows = std::vector<std::vector<std::uint32_t>>;

// An array of rows of equal length; every expert up to the largest id is somewhere in each of them.
SlotRows parse_slot_rows(const JsonValue& rows);

// The slots shared out to `positions`, as many to each. Throws InputError where they cannot be, or it is not known to
// how many; `where` is where the rows stand.
PlacementDocument shared_out(const JsonValue& where, const SlotRows& rows, std::optional<std::size_t> positions);

// The rows of a placement whose positions hold equally many copies.
SlotRows slot_rows(const PlacementDocument& document);

}  // namespace moesim
