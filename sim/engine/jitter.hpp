#pragma once
#include <cstdint>

#include "config/profile.hpp"
#include "engine/task_graph.hpp"
#include "topology/fabric.hpp"

namespace moesim {

// Makes the start-up of every transfer vary: times a factor with the quantiles that the profile has for the links of
// its route (those of `nic` where it leaves the node, else `nvlink`; 1 where it has none), straight lines between them.
// The draws depend on the seed and the task alone.
void add_jitter(TaskGraph& graph, const Fabric& fabric, const Profile& profile, std::uint64_t seed);

}  // namespace moesim
