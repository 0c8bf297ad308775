#pragma once
#include "topology/fabric.hpp"

namespace moesim {

// The most that ranks 0 .. n/2 - 1 together can send to the others, in one direction, over all paths there are: the
// maximum flow between the two halves, which is the capacity of the least cut between them (Ford and Fulkerson, 1956).
// Of all ways to halve a cluster it looks at this one, so that it bounds the bisection bandwidth of Dally and Towles
// (2004, section 3.3.1) from above, and is it where clusters are cut best between nodes of far ranks, as those of all
// families here are. GPUs pass nothing on but what is sent to them. 0 for one rank.
BytesPerSecond bisection_bandwidth(const Fabric& fabric);

}  // namespace moesim
