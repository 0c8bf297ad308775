#pragma once
// Rings, and tori of two and three dimensions (Dally and Towles, 2004, chapter 5).
#include "topology/fabric.hpp"

namespace moesim {

// Each router has a link to the next one and one to the one before in each dimension, round and round; in a dimension
// of two these are one and the same, and there is one. Routing is dimension-ordered, the first dimension first, each
// the shorter way round, and in the positive direction where both are as long.
Fabric build_torus(const TopologySpec& topology);

}  // namespace moesim
