#pragma once
// Placements at random.
#include "placement/placement.hpp"

namespace moesim::test {

// Each expert of each layer somewhere, and other copies anywhere, two of one expert at one position included. With
// `even` all positions hold equally many copies in all layers. The same for the same number.
Placement random_placement(std::uint64_t number, std::size_t layers, std::size_t experts, std::size_t positions,
                           bool even = false);

}  // namespace moesim::test
