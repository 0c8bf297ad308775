#pragma once
// One rank's tasks, run for real.
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "calibrate/execute/local_tasks.hpp"
#include "calibrate/execute/transport.hpp"

namespace moesim {

// Which thread computes.
enum class Computing {
    beside_messages,   // one of its own, so that messages begin and end meanwhile
    between_messages,  // the caller's, for ranks that may have no other: what becomes ready meanwhile begins
                       // afterwards, and a message that arrived meanwhile is noted as having ended then
};

struct RankOptions {
    Computing computing = Computing::beside_messages;
    // After each computation, before its end is noted, with the graph's task: for clocks that do not see how long it
    // took.
    std::function<void(const Task&)> computed;
};

// What the tasks stand for. compute() is called from one thread, the others from another one, side by side, or all from
// the caller's.
class RankWork {
  public:
    virtual ~RankWork() = default;
    RankWork() = default;
    RankWork(const RankWork&) = delete;
    RankWork& operator=(const RankWork&) = delete;

    // task: the how manieth compute task of the rank it is. Gives how long it took by the device's own clock.
    virtual Seconds compute(std::size_t task, const Label& label) = 0;
    // The bytes of a message, which stay until it is sent. Its rows are put together now, where others brought them.
    virtual std::span<const std::byte> outgoing(const Label& label, std::uint32_t message) = 0;
    // Where a message goes to.
    virtual std::span<std::byte> incoming(const Label& label, std::uint32_t message) = 0;
};

// When a local task began and ended, after a common moment. A transfer's beginning is known to its sender, its end to
// its receiver; each end also notes the other, as it sees it.
struct LocalTime {
    Seconds start, finish;
};

// Runs all tasks of a rank, each as soon as what it waits for has ended; `begin` is the common moment on the
// transport's clock, which is waited for. What throws in a task is thrown again here. Nothing is left under way unless
// it throws.  [local task]
std::vector<LocalTime> run_tasks_of_rank(const TaskGraph& graph, const LocalTasks& local, RankWork& work,
                                         Transport& transport, Seconds begin, const RankOptions& options = {});

}  // namespace moesim
