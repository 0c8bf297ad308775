#include "engine/run_tasks.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace moesim {
namespace {

class Runner {
  public:
    Runner(const TaskGraph& graph, const Ways& ways, const NetworkSpec& network, const std::vector<SpeedChange>& speeds,
           const OnProgress& progress)
        : tasks_(graph.tasks()), progress_(progress), times_(tasks_.size()), waits_(tasks_.size()),
          first_successor_(tasks_.size() + 1), cluster_(ways, network, speeds, [this](TaskId id) { end(id); }) {
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
                if (task.latency > Seconds{}) return cluster_.after(task.latency, [this, id] { start_flow(id); });
                return start_flow(id);
            case TaskKind::join: break;
        }
        instant_.push_back(id);
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
    std::size_t ended_ = 0;
    SimulatedCluster cluster_;
};

}  // namespace

TaskTimes run_tasks(const TaskGraph& graph, const Ways& ways, const NetworkSpec& network,
                    const std::vector<SpeedChange>& speeds, const OnProgress& progress) {
    return Runner(graph, ways, network, speeds, progress).run();
}

}  // namespace moesim
