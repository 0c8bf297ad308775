#pragma once
// Clusters that are listed link by link.
#include "topology/fabric.hpp"

namespace moesim {

// Routes are shortest paths by the number of links. At each place that one of the next links is taken that leads on at
// the highest rate (NVLink before a NIC), of those the one with the least sum of latencies. They pass through switches,
// and through GPUs where the list lets them forward. Where several next links are as good, the one with the lowest id
// is taken, or with EqualPaths::hash equal_path() of the pair and the place. All is computed here, in a table of GPUs x
// vertices, which the parser bounds.
Fabric build_link_list(const TopologySpec& topology);

}  // namespace moesim
