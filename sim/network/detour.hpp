#pragma once
#include <optional>
#include <vector>

#include "topology/fabric.hpp"

namespace moesim {

// The way from one GPU to another with the fewest links that avoids failed ones; other GPUs may pass things on, as
// NCCL's PXN does inside a node. `left`: what each link has of its capacity, 0 for one to avoid.  [link]
// Of equally short ways one whose most impaired link has the most left; of those one by a fixed hash of the pair, so
// that all the detours around one link do not end up on another one. Nothing where there is no way of at most
// max_route_links.
std::optional<Route> detour(const Fabric& fabric, RankId from, RankId to, const std::vector<double>& left);

}  // namespace moesim
