#pragma once
#include "topology/fabric.hpp"

namespace moesim {

// The most that ranks 0 .. n/2 - 1 together can send to the others, in one direction, over all paths there are: the
// maximum flow between the two halves, which is the capacity of the least cut between them (Ford and Fulkerson, 1956).
// Of all ways to halve a cluster it looks at this one, so it is never below the bisection bandwidth of Dally and Towles
// (2004, section 3.3.1), and equal to it where no other way cuts less. GPUs pass nothing on but what is sent to them.
// 0 for one rank.
BytesPerSecond bisection_bandwidth(const Fabric& fabric);

}  // namespace moesim
