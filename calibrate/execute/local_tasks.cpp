#include "calibrate/execute/local_tasks.hpp"

#include <array>
#include <map>

#include "base/error.hpp"

namespace moesim {
namespace {

// When the memory that a message comes to was last read in the layer before: by the experts (dispatch), or as returned
// rows were put into the order of tokens (return).
using Place = std::array<std::size_t, 4>;  // stage, layer, micro-batch, chunk

Place last_reader(const Label& message) {
    const bool out = message.stage == Stage::dispatch;
    return {static_cast<std::size_t>(out ? Stage::expert : Stage::unpack), message.layer - std::size_t{1},
            message.micro_batch, out ? message.chunk : std::size_t{0}};
}

bool is_local(const Task& t, RankId rank) {
    return t.label.rank == rank || (t.kind == TaskKind::transfer && t.peer == rank);
}

}  // namespace

LocalTasks local_tasks(const TaskGraph& graph, RankId rank, const std::vector<std::uint32_t>& message,
                       const std::vector<std::int64_t>& parts) {
    LocalTasks local;
    const auto& tasks = graph.tasks();
    std::vector<std::size_t> at(tasks.size(), LocalTasks::none);
    std::map<Place, std::size_t> readers;
    for (TaskId id = 0; id < tasks.size(); ++id) {
        const Task& t = tasks[id];
        if (!is_local(t, rank)) continue;
        if (t.kind == TaskKind::delay || t.starts_with_first)
            throw InternalError("a task that cannot be executed: a delay of the simulated network");
        at[id] = local.id.size();
        local.id.push_back(id);
        if (t.kind == TaskKind::compute) {
            local.compute.push_back(at[id]);
            const Label& l = t.label;
            readers[{static_cast<std::size_t>(l.stage), l.layer, l.micro_batch, l.chunk}] =
                at[id];  // the last such one
        }
        if (t.kind != TaskKind::transfer) continue;
        LocalTransfer transfer{at[id], message[id], parts[id], LocalTasks::none};
        if (t.label.rank == rank) {
            local.sent.push_back(transfer);
            continue;
        }
        if (t.label.layer > 0)
            if (const auto reader = readers.find(last_reader(t.label)); reader != readers.end())
                transfer.posts_after = reader->second;
        local.received.push_back(transfer);
    }
    local.after.resize(local.id.size());
    local.waits.resize(local.id.size());
    for (const TaskGraph::Edge& e : graph.edges()) {
        const std::size_t after = at[e.after];
        if (after == LocalTasks::none) continue;
        const Task& t = tasks[e.after];
        if (t.kind == TaskKind::transfer && t.label.rank != rank) continue;  // its sender's business
        if (at[e.before] == LocalTasks::none) throw InternalError("a task of one rank waits for another rank's");
        local.after[at[e.before]].push_back(after);
        ++local.waits[after];
    }
    return local;
}

}  // namespace moesim
