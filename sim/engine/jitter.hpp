#pragma once
#include <cstdint>

#include "engine/task_graph.hpp"
#include "network/message.hpp"

namespace moesim {

// Makes the start-up of every transfer vary: times a factor with the quantiles that the profile has for the links of
// its route (see MessageModel::profile_of; 1 where it has none), straight lines between them.
// The draws depend on the seed and the task alone.
void add_jitter(TaskGraph& graph, const Fabric& fabric, const MessageModel& messages, std::uint64_t seed);

}  // namespace moesim
