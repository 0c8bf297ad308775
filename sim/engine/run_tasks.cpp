#include "engine/run_tasks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.hpp"
#include "network/alltoall/turn.hpp"

namespace moesim {
namespace {

// What becomes possible within so long is taken for simultaneous: rounding, and in which order a network tells of ends,
// should not decide who sends first. Start-ups are longer, so that nothing begins later for it.
constexpr Seconds same_moment(1e-9);

class Runner {
  public:
    Runner(const TaskGraph& graph, const Ways& ways, const NetworkSpec& network, const ComputeSpeeds& computing,
           const OnProgress& progress)
        : tasks_(graph.tasks()), progress_(progress), times_(tasks_.size()), waits_(tasks_.size()),
          first_successor_(tasks_.size() + 1), ranks_(ways.fabric(Way::cluster).ranks()),
          cluster_(ways, network, computing, [this](TaskId id) { end(id); }) {
        index_edges(graph.edges());
    }

    TaskTimes run() {
        cluster_.run([this] {
            std::vector<TaskId> roots;
            for (TaskId id = 0; id < tasks_.size(); ++id)
                if (waits_[id] == 0) roots.push_back(id);
            for (const TaskId id : roots) begin(id);
            settle();
        });
        if (ended_ != tasks_.size() && !cluster_.report().stalled)
            throw InternalError(fmt::format("{} of {} tasks never ran", tasks_.size() - ended_, tasks_.size()));
        return {std::move(times_), cluster_.report()};
    }

  private:
    // Edges by their first end, so that whoever ends finds its successors in one run of memory.
    void index_edges(const std::vector<TaskGraph::Edge>& edges) {
        for (const auto& e : edges) ++first_successor_[e.before + 1], ++waits_[e.after];
        for (std::size_t i = 1; i < first_successor_.size(); ++i) first_successor_[i] += first_successor_[i - 1];
        successors_.resize(edges.size());
        auto place = first_successor_;
        for (const auto& e : edges) successors_[place[e.before]++] = e.after;
        for (TaskId id = 0; id < tasks_.size(); ++id)
            if (tasks_[id].starts_with_first && waits_[id] > 0) waits_[id] = 1;
    }

    void begin(TaskId id) {
        const Task& task = tasks_[id];
        times_[id].start = cluster_.now();
        switch (task.kind) {
            case TaskKind::compute:
                if (task.duration > Seconds{}) return cluster_.start_compute(id, task.label.rank, task.duration);
                break;
            case TaskKind::delay:
                if (task.duration > Seconds{}) return cluster_.after(task.duration, [this, id] { end(id); });
                break;
            case TaskKind::transfer:
                if (task.gap == Seconds{}) return start_up(id, task.latency);
                if (to_send_.empty()) cluster_.after(same_moment, [this] { send(); });
                to_send_.push_back(id);
                return;
            case TaskKind::join: break;
        }
        instant_.push_back(id);
    }

    void start_up(TaskId id, Seconds latency) {
        if (latency > Seconds{}) return cluster_.after(latency, [this, id] { start_flow(id); });
        start_flow(id);
    }

    // Of messages that may begin in the same moment each begins a gap after its sender's last one, in turn.
    void send() {
        std::vector<TaskId> now;
        now.swap(to_send_);
        const auto place = [&](TaskId id) {
            return std::pair(turn_of(tasks_[id].label.rank, tasks_[id].peer, ranks_), id);
        };
        std::sort(now.begin(), now.end(), [&](TaskId a, TaskId b) { return place(a) < place(b); });
        for (const TaskId id : now) {
            const Task& task = tasks_[id];
            Seconds& next = may_send_[{task.label.rank, task.over}];
            const Seconds begins = std::max(next, times_[id].start);
            next = begins + task.gap;
            start_up(id, begins + task.latency - cluster_.now());
        }
    }

    void start_flow(TaskId id) {
        const Task& task = tasks_[id];
        cluster_.start_flow(id, task.way, task.label.rank, task.peer, task.bytes, task.cap);
    }

    void end(TaskId id) {
        finish(id);
        settle();
    }

    // Ends what takes no time, and what follows from that, without recursion.
    void settle() {
        while (!instant_.empty()) {
            const TaskId id = instant_.back();
            instant_.pop_back();
            finish(id);
        }
    }

    void finish(TaskId id) {
        times_[id].finish = cluster_.now();
        if (++ended_ == tasks_.size()) cluster_.stop_watching();
        if (progress_ && ended_ % 4096 == 0)
            progress_(static_cast<double>(ended_) / static_cast<double>(tasks_.size()));
        for (std::size_t i = first_successor_[id]; i < first_successor_[id + 1]; ++i) {
            const TaskId next = successors_[i];
            if (waits_[next] == 0) continue;  // already running: it waited for the first only
            if (--waits_[next] > 0) continue;
            times_[next].cause = id;
            begin(next);
        }
    }

    const std::vector<Task>& tasks_;
    const OnProgress& progress_;
    std::vector<TaskTime> times_;
    std::vector<std::uint32_t> waits_;          // [task]: how many ends it still waits for
    std::vector<std::size_t> first_successor_;  // [task]: where its successors begin
    std::vector<TaskId> successors_;
    std::vector<TaskId> instant_;  // begun, take no time, not ended yet
    std::vector<TaskId> to_send_;  // transfers that wait for nothing but the gaps after others
    std::map<std::pair<RankId, LinkClass>, Seconds> may_send_;  // when a rank may begin its next one
    std::size_t ranks_;
    std::size_t ended_ = 0;
    SimulatedCluster cluster_;
};

}  // namespace

TaskTimes run_tasks(const TaskGraph& graph, const Ways& ways, const NetworkSpec& network,
                    const ComputeSpeeds& computing, const OnProgress& progress) {
    return Runner(graph, ways, network, computing, progress).run();
}

}  // namespace moesim
