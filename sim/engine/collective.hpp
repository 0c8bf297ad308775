#pragma once
// Collective operations as tasks: what each rank may start, what crosses the fabric, when each rank has ended.
#include <optional>
#include <span>
#include <vector>

#include "config/scenario.hpp"
#include "engine/task_graph.hpp"
#include "network/busiest_link.hpp"
#include "network/message.hpp"
#include "traffic/grid.hpp"
#include "traffic/messages.hpp"

namespace moesim {

// The two ends of a collective on each rank, and where its messages may start after it was issued.  [rank]
struct CollectiveEnds {
    std::vector<TaskId> issue, begun, done;
};

// Adds `issue` and `done` joins for every rank; label names stage, stream, layer and parts. Senders push: a message
// starts when its sender has issued the collective, whether or not the receiver has (receive buffers exist
// beforehand), and a rank has ended when all that it sends and receives has arrived.
CollectiveEnds add_collective_ends(TaskGraph& graph, const Label& label, std::size_t ranks);

// The same for a library's call: each rank takes its own `startup` before its first message, and from there to its end
// at least `least`.  [rank]
CollectiveEnds add_call_ends(TaskGraph& graph, const Label& label, std::span<const Seconds> startup,
                             std::span<const Seconds> least);

// One transfer task a message, between the ends.
void add_transfers(TaskGraph& graph, const CollectiveEnds& ends, const Label& label, std::span<const Message> messages,
                   const Fabric& fabric, const MessageModel& model, Way way = Way::cluster);

// The closed-form bound in the place of transfers. It never exceeds what transfers take under any sharing:
// - a message takes its latency and its bytes at the capacity of its narrowest link;
// - what one rank sends and receives takes its busiest link's time, from the first start of any sender on;
// - so does all that one group exchanges: the ranks of one expert group with the same tensor index. Which of them ends
//   last is not known, so this bound holds back only what surely comes after all of them: the group's next exchange,
//   where in that every rank hears from every other.
class GroupBounds {
  public:
    using Tasks = std::vector<std::vector<TaskId>>;  // [group]

    GroupBounds(const RankGrid& grid, const Ways& ways, Way way);

    // `held`: bounds of the groups' earlier exchanges. Returns those of this one: one task for each group that
    // exchanges anything.
    Tasks add(TaskGraph& graph, const CollectiveEnds& ends, const Label& label, std::span<const Message> messages,
              const Tasks& held);

  private:
    [[nodiscard]] std::size_t group_of(RankId rank) const;
    const RankGrid& grid_;
    Way way_;
    const Fabric& fabric_;
    const MessageModel& model_;
};

// A ring all-reduce of `bytes` a rank, `times` times over, among the `ranks`: each sends 2 (n-1)/n of the bytes to its
// neighbour in 2 (n-1) steps of one latency each (Patarasuk and Yuan, J. Parallel Distrib. Comput. 69(2), 2009).
// Each starts after its own `before`; the result, one task a rank, is when all have the sum.
std::vector<TaskId> add_ring_all_reduce(TaskGraph& graph, const Label& label, std::span<const RankId> ranks,
                                        std::span<const TaskId> before, Bytes bytes, int times, NetworkKind network,
                                        const Fabric& fabric, const MessageModel& model);

// One round of messages among the `ranks`, each of which starts after its own `before`. The result, one task a rank,
// is when all that it sends and gets has arrived.
std::vector<TaskId> add_rounds(TaskGraph& graph, const Label& label, std::span<const RankId> ranks,
                               std::span<const TaskId> before, std::span<const Message> messages, NetworkKind network,
                               const Fabric& fabric, const MessageModel& model);

// The same result as add_ring_all_reduce by two trees, in as many pieces as suit the start-up between the first two
// ranks.
std::vector<TaskId> add_tree_all_reduce(TaskGraph& graph, const Label& label, std::span<const RankId> ranks,
                                        std::span<const TaskId> before, Bytes bytes, int times, NetworkKind network,
                                        const Fabric& fabric, const MessageModel& model);

}  // namespace moesim
