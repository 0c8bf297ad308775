#pragma once
// The pipeline as tasks and what each waits for. The order on a GPU's streams is part of the graph: a task waits for
// the one before it on its stream.
#include <cstdint>
#include <vector>

#include "base/ids.hpp"
#include "base/stage.hpp"
#include "base/units.hpp"
#include "network/ways.hpp"

namespace moesim {

using TaskId = std::uint32_t;

enum class TaskKind : unsigned char {
    compute,   // on a GPU, at its speed of the moment
    transfer,  // over the fabric, after a latency
    delay,     // a fixed time (closed-form network bounds)
    join,      // no time: a place where waits meet
};

enum class Stream : unsigned char { compute, dispatch, return_, tensor };
inline constexpr std::size_t stream_count = 4;

// What a task or a collective is for.
struct Label {
    Stage stage = Stage::attention;
    Stream stream = Stream::compute;
    RankId rank;
    std::uint16_t layer = 0, micro_batch = 0, chunk = 0;
};

struct Task {
    TaskKind kind = TaskKind::join;
    bool starts_with_first = false;  // starts when the first of what it waits for has ended, not the last
    Label label;
    Way way = Way::cluster;          // transfer: whose routes it takes
    RankId peer;                     // transfer: to whom (label.rank sends)
    Seconds duration;                // compute (at nominal speed), delay
    Seconds latency;                 // transfer: before its first byte moves
    Seconds before_start_up;         // transfer: of it, what its sender does before, such as copying
    Seconds gap;                     // transfer: the sender's next one over such links begins no sooner after it
    LinkClass over{};                // transfer: the class of links that keeps gaps of its own
    Bytes bytes;                     // transfer
    BytesPerSecond cap = unlimited;  // transfer: the most that it gets of the links
};

// A collective operation as one rank sees it: from the moment it may send to the end of all that it sends and gets.
struct CollectiveSpan {
    Label label;
    TaskId issue = 0, done = 0;
    Bytes sent;
};

class TaskGraph {
  public:
    TaskId add(const Task& task) {
        tasks_.push_back(task);
        return static_cast<TaskId>(tasks_.size() - 1);
    }
    // `task` waits for `before`.
    void wait(TaskId task, TaskId before) { edges_.push_back({before, task}); }
    void set_latency(TaskId task, Seconds latency) { tasks_[task].latency = latency; }
    void add_span(const CollectiveSpan& span) { spans_.push_back(span); }

    [[nodiscard]] const std::vector<Task>& tasks() const { return tasks_; }
    [[nodiscard]] const std::vector<CollectiveSpan>& spans() const { return spans_; }

    struct Edge {
        TaskId before, after;
    };
    [[nodiscard]] const std::vector<Edge>& edges() const { return edges_; }

  private:
    std::vector<Task> tasks_;
    std::vector<Edge> edges_;
    std::vector<CollectiveSpan> spans_;
};

}  // namespace moesim
