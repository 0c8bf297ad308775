#pragma once
#include "config/scenario.hpp"
#include "network/message.hpp"
#include "placement/placement.hpp"
#include "traffic/messages.hpp"

namespace moesim {

// No less time than this do the messages take from a common start: the longest chain of messages, each alone on its
// way, or the least start-up and then the busiest link.
Seconds least_time(const std::vector<Message>& messages, const Fabric& fabric, const MessageModel& model);

// The scenario's dispatch with the algorithm (and its deduplication) whose dispatch and return have the smallest
// least_time for the scenario's tokens, evenly routed and evenly spread; the first in the order of Algorithm where
// several have it.
DispatchSpec chosen_dispatch(const Scenario& scenario, const Placement& placement, const Fabric& fabric);

}  // namespace moesim
