#pragma once
// In which order a rank's messages may be started where they meet by order, not by tag.
#include <cstdint>
#include <vector>

#include "calibrate/execute/local_tasks.hpp"
#include "calibrate/execute/transport.hpp"

namespace moesim {

// A round of an exchange is what depends on as many of the exchange's messages one after another: all of them at once
// where nothing is forwarded and no window holds messages back. Dispatches are lane 0, returns lane 1, as the simulated
// GPU has a stream for each; in a lane exchanges come in the order of the graph, and of an exchange its rounds. Rounds
// of which the rank has no message are left out.  [round], lane by lane
std::vector<MessageRound> message_rounds(const TaskGraph& graph, const LocalTasks& local);

}  // namespace moesim
