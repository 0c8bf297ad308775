#pragma once
// Runs a task graph on the simulated cluster.
#include <functional>
#include <vector>

#include "config/scenario.hpp"
#include "engine/task_graph.hpp"
#include "network/simulated_cluster.hpp"

namespace moesim {

struct TaskTime {
    Seconds start, finish;
    TaskId cause = no_cause;  // what ended last (or first, see Task) before it could start
    static constexpr TaskId no_cause = 0xffffffffU;
};

// Called now and then with the share of the work that is done, 0..1.
using OnProgress = std::function<void(double share)>;

struct TaskTimes {
    std::vector<TaskTime> tasks;  // [task]
    NetworkReport network;
};

// Throws InternalError where the graph has a cycle, which leaves tasks that never start. Where a transfer stalls the
// rest is left out, and `network` says so.
TaskTimes run_tasks(const TaskGraph& graph, const Ways& ways, const NetworkSpec& network,
                    const ComputeSpeeds& computing, const OnProgress& progress);

}  // namespace moesim
