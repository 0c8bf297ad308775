#include "calibrate/execute/message_rounds.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/error.hpp"

namespace moesim {
namespace {

bool same_exchange(const Label& a, const Label& b) {
    return a.stage == b.stage && a.layer == b.layer && a.micro_batch == b.micro_batch && a.chunk == b.chunk;
}

// [task]: of a transfer, how many transfers of its exchange come before it, one after another.
std::vector<std::uint32_t> depths(const TaskGraph& graph) {
    const auto& tasks = graph.tasks();
    std::vector<std::vector<TaskId>> after(tasks.size());
    std::vector<std::uint32_t> waits(tasks.size()), depth(tasks.size());
    for (const TaskGraph::Edge& e : graph.edges()) {
        after[e.before].push_back(e.after);
        ++waits[e.after];
    }
    std::vector<TaskId> free;
    for (TaskId t = 0; t < tasks.size(); ++t)
        if (waits[t] == 0) free.push_back(t);
    for (std::size_t i = 0; i < free.size(); ++i) {
        const TaskId t = free[i];
        for (const TaskId next : after[t]) {
            if (same_exchange(tasks[t].label, tasks[next].label))
                depth[next] = std::max(depth[next], depth[t] + (tasks[t].kind == TaskKind::transfer ? 1U : 0U));
            if (--waits[next] == 0) free.push_back(next);
        }
    }
    if (free.size() != tasks.size()) throw InternalError("tasks that wait for each other");
    return depth;
}

}  // namespace

std::vector<MessageRound> message_rounds(const TaskGraph& graph, const LocalTasks& local) {
    using ExchangeKey = std::tuple<Stage, std::uint16_t, std::uint16_t, std::uint16_t>;
    const std::vector<std::uint32_t> depth = depths(graph);
    std::map<ExchangeKey, TaskId> first;  // transfer of an exchange: the same on every rank
    for (TaskId t = 0; t < graph.tasks().size(); ++t) {
        const Task& task = graph.tasks()[t];
        const Label& l = task.label;
        if (task.kind == TaskKind::transfer) first.try_emplace({l.stage, l.layer, l.micro_batch, l.chunk}, t);
    }
    using Place = std::tuple<std::size_t, TaskId, std::uint32_t>;  // lane, exchange, round
    std::map<Place, MessageRound> rounds;
    const auto add = [&](const LocalTransfer& t) {
        const TaskId id = local.id[t.task];
        const Label& l = graph.tasks()[id].label;
        const std::size_t lane = l.stage == Stage::dispatch ? 0 : 1;
        MessageRound& round = rounds[{lane, first.at({l.stage, l.layer, l.micro_batch, l.chunk}), depth[id]}];
        round.lane = lane;
        round.tags.push_back(id);
        round.messages += static_cast<std::size_t>(t.parts);
    };
    for (const LocalTransfer& t : local.sent) add(t);
    for (const LocalTransfer& t : local.received) add(t);
    std::vector<MessageRound> all;
    all.reserve(rounds.size());
    for (auto& [place, round] : rounds) all.push_back(std::move(round));
    return all;
}

}  // namespace moesim
