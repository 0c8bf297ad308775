#pragma once
// One rank's part of a task graph.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/task_graph.hpp"

namespace moesim {

// A transfer as one of its two ends sees it.
struct LocalTransfer {
    std::size_t task = 0;         // of LocalTasks
    std::uint32_t message = 0;    // of the dispatch that it belongs to, or whose return it belongs to
    std::int64_t parts = 1;       // messages that it is sent as
    std::size_t posts_after = 0;  // receiving end: the task after which its memory is free; LocalTasks::none
};

// What a rank has a hand in: its compute tasks, messages that it sends or gets, and its joins. Everything that one of
// these waits for is among them, but for what holds a message back on its sender, which is none of the receiver's
// business.
struct LocalTasks {
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
    std::vector<TaskId> id;                       // [local task]: of the graph, ascending
    std::vector<std::vector<std::size_t>> after;  // [local task]: those that wait for it
    std::vector<std::uint32_t> waits;             // [local task]: for so many
    std::vector<std::size_t> compute;             // in the order of the compute stream
    std::vector<LocalTransfer> sent, received;
};

// message: [task]: see LocalTransfer; parts: [task]. Throws InternalError where the graph has something that only a
// simulation can do.
LocalTasks local_tasks(const TaskGraph& graph, RankId rank, const std::vector<std::uint32_t>& message,
                       const std::vector<std::int64_t>& parts);

}  // namespace moesim
