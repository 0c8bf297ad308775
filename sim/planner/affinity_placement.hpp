#pragma once
// A placement that keeps a token on its GPU from layer to layer.
#include "base/matrix.hpp"
#include "config/trace/trace.hpp"
#include "placement/placement.hpp"

namespace moesim {

// Layer after layer, the pairs (expert, position) are taken in the order of how many choices of the layer before, at
// that position, go together with the expert; each position takes experts / positions of them. The first layer is
// contiguous. Greedy, and blind to load: what inter-layer affinity offers at most (after Yao et al., "Exploiting
// Inter-Layer Expert Affinity", IPDPS 2024, who solve an integer program).
Placement affinity_placement(const RoutingTrace& trace, std::size_t positions);

}  // namespace moesim
