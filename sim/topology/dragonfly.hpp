#pragma once
// Dragonflies (Kim, Dally, Scott, Abts, ISCA 2008).
#include "topology/fabric.hpp"

namespace moesim {

// Routers of a group are all linked to each other, and each pair of groups has one link. Global link k of a group
// belongs to its router k / global_links_per_router; from group i it leads to group k where k < i, else to k + 1, so
// that the link between groups i < j is number j - 1 of i and number i of j. Links beyond the number of other groups
// are not used. Routing is minimal: to the router with the global link, over it, and from its other end to the
// receiver's router: at most one local link at each side.
Fabric build_dragonfly(const TopologySpec& topology);

}  // namespace moesim
