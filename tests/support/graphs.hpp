#pragma once
// Small task graphs run on the simulated cluster, each in a child process.
#include <vector>

#include "engine/run_tasks.hpp"

namespace moesim::test {

Task compute(std::size_t rank, double seconds);
Task transfer(std::size_t from, std::size_t to, std::int64_t bytes, double latency = 0);

// The finish times of the graph's tasks on the topology with the ideal profile, in seconds.  [task]
std::vector<double> finish_times(const TaskGraph& graph, const TopologySpec& topology, const ComputeSpeeds& speeds = {},
                                 const NetworkSpec& network = {NetworkKind::simgrid, 0});

}  // namespace moesim::test
