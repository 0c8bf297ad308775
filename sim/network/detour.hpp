#pragma once
#include <optional>
#include <vector>

#include "topology/fabric.hpp"

namespace moesim {

// The way from one GPU to another with the fewest links that avoids failed ones; other GPUs may pass things on, as
// NCCL's PXN does inside a node. Of equally short ways the one whose links have the lower ids, first links first.
// Nothing where there is none of at most max_route_links. `failed` is [link].
std::optional<Route> detour(const Fabric& fabric, RankId from, RankId to, const std::vector<bool>& failed);

}  // namespace moesim
