#include "engine/collective.hpp"

#include <algorithm>
#include <iterator>

#include "network/collectives/tree.hpp"
#include "network/send_gaps.hpp"

namespace moesim {
namespace {

Label at_rank(Label label, RankId rank) {
    label.rank = rank;
    return label;
}

TaskId add_delay(TaskGraph& graph, const Label& label, Seconds duration, TaskId before) {
    Task t;
    t.kind = TaskKind::delay;
    t.label = label;
    t.duration = duration;
    const TaskId id = graph.add(t);
    graph.wait(id, before);
    return id;
}

// The task of one message: a transfer, or with the closed form, the time that it takes alone.
Task message_task(const Message& m, const Label& label, NetworkKind network, const Fabric& fabric,
                  const MessageModel& model, Way way = Way::cluster) {
    const Route route = fabric.route(m.from, m.to);
    Task t;
    t.label = at_rank(label, m.from);
    t.peer = m.to;
    t.bytes = m.bytes;
    const Seconds gap = model.gap(route);
    t.gap = gap * static_cast<double>(m.parts);
    if (gap > Seconds{}) t.over = model.class_of(route);
    // A message of several parts begins with its last one, as if the others went with it.
    const Seconds before = m.delay + gap * static_cast<double>(m.parts - 1);
    if (way == Way::cluster) t.before_start_up = before;
    t.latency = before + model.latency(route);
    t.cap = std::min(m.cap, model.cap(route));
    t.way = way;
    t.kind = network == NetworkKind::bound ? TaskKind::delay : TaskKind::transfer;
    if (t.kind == TaskKind::delay) t.duration = t.latency + t.bytes / std::min(model.narrowest(route), m.cap);
    return t;
}

void add_messages(TaskGraph& graph, const CollectiveEnds& ends, const Label& label, std::span<const Message> messages,
                  NetworkKind network, const Fabric& fabric, const MessageModel& model, Way way = Way::cluster) {
    const auto first = static_cast<TaskId>(graph.tasks().size());
    for (const Message& m : messages) graph.add(message_task(m, label, network, fabric, model, way));
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const Message& m = messages[i];
        const auto task = static_cast<TaskId>(first + i);
        if (m.waits_for_issue) graph.wait(task, ends.begun[m.from.value()]);
        for (const std::uint32_t before : m.after) graph.wait(task, first + before);
        for (const std::uint32_t fed : m.along) {
            graph.wait(task, ends.begun[messages[fed].from.value()]);
            graph.wait(ends.done[m.to.value()], first + fed);
        }
        graph.wait(ends.done[m.from.value()], task);
        graph.wait(ends.done[m.to.value()], task);
    }
}

// The least time that a set of messages needs once the first of them may start.
class MessageSetBound {
  public:
    MessageSetBound(const Fabric& fabric, const MessageModel& model)
        : fabric_(fabric), model_(model), loads_(fabric, model), gaps_(model) {}

    void add(const Message& m) {
        const Route route = fabric_.route(m.from, m.to);
        const Seconds latency = model_.latency(route);
        least_latency_ = empty_ ? latency : std::min(least_latency_, latency);
        empty_ = false;
        loads_.add({m.from, m.to, m.bytes});
        gaps_.add(m.from, route, m.parts);
    }
    Seconds take() {
        const Seconds bound = empty_ ? Seconds{} : least_latency_ + std::max(loads_.busiest(), gaps_.last());
        loads_.clear();
        gaps_.clear();
        empty_ = true;
        return bound;
    }

  private:
    const Fabric& fabric_;
    const MessageModel& model_;
    LinkLoads loads_;
    SendGaps gaps_;
    Seconds least_latency_;
    bool empty_ = true;
};

// The ranks on whose start each message depends, by itself or through what it waits for.  [message]: in rising order
std::vector<std::vector<RankId>> starters_of(std::span<const Message> messages) {
    std::vector<std::vector<RankId>> all(messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        auto& own = all[i];
        if (messages[i].waits_for_issue) own.push_back(messages[i].from);
        for (const auto* waits : {&messages[i].after, &messages[i].along})
            for (const std::uint32_t before : *waits) {
                if (all[before] == own) continue;  // as in a window, where all are the sender's own
                std::vector<RankId> both;
                std::set_union(own.begin(), own.end(), all[before].begin(), all[before].end(),
                               std::back_inserter(both));
                own = std::move(both);
            }
    }
    return all;
}

// Whether each rank's end depends on each rank's start, within one group.
bool is_complete(std::span<const Message> messages, const std::vector<std::uint32_t>& of_group,
                 const std::vector<std::vector<RankId>>& starters, const std::vector<std::size_t>& place_in_group,
                 std::size_t group_size) {
    std::vector<bool> depends(group_size * group_size);
    std::size_t pairs = 0;
    const auto mark = [&](RankId from, RankId to) {
        const auto cell = place_in_group[from.value()] * group_size + place_in_group[to.value()];
        if (from == to || depends[cell]) return;
        depends[cell] = true;
        ++pairs;
    };
    for (const std::uint32_t i : of_group)
        for (const RankId starter : starters[i]) {
            mark(starter, messages[i].to);
            mark(starter, messages[i].from);
        }
    return pairs == group_size * (group_size - 1);
}

}  // namespace

CollectiveEnds add_collective_ends(TaskGraph& graph, const Label& label, std::size_t ranks) {
    CollectiveEnds ends;
    for (auto* side : {&ends.issue, &ends.done})
        for (std::size_t r = 0; r < ranks; ++r) {
            Task join;
            join.label = at_rank(label, RankId(r));
            side->push_back(graph.add(join));
        }
    for (std::size_t r = 0; r < ranks; ++r) graph.wait(ends.done[r], ends.issue[r]);
    ends.begun = ends.issue;
    return ends;
}

CollectiveEnds add_call_ends(TaskGraph& graph, const Label& label, std::span<const Seconds> startup,
                             std::span<const Seconds> least) {
    CollectiveEnds ends = add_collective_ends(graph, label, startup.size());
    for (std::size_t r = 0; r < startup.size(); ++r) {
        const Label own = at_rank(label, RankId(r));
        ends.begun[r] = add_delay(graph, own, startup[r], ends.issue[r]);
        graph.wait(ends.done[r], least[r] > Seconds{} ? add_delay(graph, own, least[r], ends.begun[r]) : ends.begun[r]);
    }
    return ends;
}

void add_transfers(TaskGraph& graph, const CollectiveEnds& ends, const Label& label, std::span<const Message> messages,
                   const Fabric& fabric, const MessageModel& model, Way way) {
    add_messages(graph, ends, label, messages, NetworkKind::simgrid, fabric, model, way);
}

GroupBounds::GroupBounds(const RankGrid& grid, const Ways& ways, Way way)
    : grid_(grid), way_(way), fabric_(ways.fabric(way)), model_(ways.model(way)) {}

std::size_t GroupBounds::group_of(RankId rank) const {
    return grid_.data_of(rank) / grid_.expert() * grid_.tensor() + grid_.tensor_of(rank);
}

GroupBounds::Tasks GroupBounds::add(TaskGraph& graph, const CollectiveEnds& ends, const Label& label,
                                    std::span<const Message> messages, const Tasks& held) {
    add_messages(graph, ends, label, messages, NetworkKind::bound, fabric_, model_, way_);
    std::vector<std::vector<std::uint32_t>> of_rank(grid_.ranks()), of_group(grid_.groups() * grid_.tensor());
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
        of_rank[messages[i].from.value()].push_back(i);
        if (messages[i].to != messages[i].from) of_rank[messages[i].to.value()].push_back(i);
        of_group[group_of(messages[i].from)].push_back(i);
    }
    std::vector<std::vector<RankId>> members(of_group.size());
    std::vector<std::size_t> place(grid_.ranks());
    for (std::size_t r = 0; r < grid_.ranks(); ++r) {
        auto& group = members[group_of(RankId(r))];
        place[r] = group.size();
        group.emplace_back(r);
    }
    const auto starters = starters_of(messages);
    MessageSetBound bound(fabric_, model_);
    const auto delay_of = [&](const std::vector<std::uint32_t>& set, TaskId first_issue) {
        for (const std::uint32_t i : set) bound.add(messages[i]);
        return add_delay(graph, label, bound.take(), first_issue);
    };
    Tasks bounds(of_group.size());
    for (std::size_t g = 0; g < of_group.size(); ++g) {
        if (of_group[g].empty()) continue;
        Task first;
        first.label = label;
        first.starts_with_first = true;
        const TaskId first_issue = graph.add(first);
        for (const RankId r : members[g]) graph.wait(first_issue, ends.begun[r.value()]);
        const bool complete = is_complete(messages, of_group[g], starters, place, members[g].size());
        for (const RankId r : members[g]) {
            graph.wait(ends.done[r.value()], delay_of(of_rank[r.value()], first_issue));
            if (complete && !held.empty())
                for (const TaskId before : held[g]) graph.wait(ends.done[r.value()], before);
        }
        bounds[g].push_back(delay_of(of_group[g], first_issue));
    }
    return bounds;
}

std::vector<TaskId> add_ring_all_reduce(TaskGraph& graph, const Label& label, std::span<const RankId> ranks,
                                        std::span<const TaskId> before, Bytes bytes, int times, NetworkKind network,
                                        const Fabric& fabric, const MessageModel& model) {
    const auto n = static_cast<std::int64_t>(ranks.size());
    if (n == 1 || times == 0 || bytes == Bytes{}) return {before.begin(), before.end()};
    const std::int64_t steps = 2 * (n - 1) * times;
    Task meet;  // the sum runs around the ring: nobody ends before the last has joined
    meet.label = at_rank(label, ranks[0]);
    const TaskId all_in = graph.add(meet);
    for (const TaskId b : before) graph.wait(all_in, b);
    std::vector<TaskId> edges, done;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        const RankId from = ranks[i], to = ranks[(i + 1) % ranks.size()];
        const Bytes step((bytes.value() + n - 1) / n);
        Task t = message_task({from, to, step * steps, true, {}}, label, network, fabric, model);
        const Seconds more = t.latency * static_cast<double>(steps - 1);  // each step pays it
        t.latency += more;
        t.duration += more;
        edges.push_back(graph.add(t));
        graph.wait(edges.back(), all_in);
    }
    for (const RankId rank : ranks) {
        Task join;
        join.label = at_rank(label, rank);
        done.push_back(graph.add(join));
        for (const TaskId edge : edges) graph.wait(done.back(), edge);
    }
    return done;
}

std::vector<TaskId> add_rounds(TaskGraph& graph, const Label& label, std::span<const RankId> ranks,
                               std::span<const TaskId> before, std::span<const Message> messages, NetworkKind network,
                               const Fabric& fabric, const MessageModel& model) {
    CollectiveEnds ends;
    ends.begun.resize(fabric.ranks());
    ends.done.resize(fabric.ranks());
    std::vector<TaskId> done;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        Task join;
        join.label = at_rank(label, ranks[i]);
        done.push_back(graph.add(join));
        graph.wait(done.back(), before[i]);
        ends.begun[ranks[i].value()] = before[i];
        ends.done[ranks[i].value()] = done.back();
    }
    add_messages(graph, ends, label, messages, network, fabric, model);
    return done;
}

std::vector<TaskId> add_tree_all_reduce(TaskGraph& graph, const Label& label, std::span<const RankId> ranks,
                                        std::span<const TaskId> before, Bytes bytes, int times, NetworkKind network,
                                        const Fabric& fabric, const MessageModel& model) {
    std::vector<TaskId> done(before.begin(), before.end());
    if (ranks.size() == 1 || bytes == Bytes{}) return done;
    const Route route = fabric.route(ranks[0], ranks[1]);
    const std::int64_t pieces = best_pieces(ranks.size(), bytes, model.latency(route), model.narrowest(route));
    const auto messages = tree_all_reduce(ranks, bytes, pieces);
    for (int i = 0; i < times; ++i) done = add_rounds(graph, label, ranks, done, messages, network, fabric, model);
    return done;
}

}  // namespace moesim
