#include "calibrate/execute/rank_run.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "network/alltoall/turn.hpp"

namespace moesim {
namespace {

// A message's end is noticed late by so much of the time that has passed without one, at most, but for pauses below the
// transport's own.
constexpr double late_by = 0.05;

class RankRun {
  public:
    RankRun(const TaskGraph& graph, const LocalTasks& local, RankWork& work, Transport& transport, Seconds begin,
            const RankOptions& options)
        : graph_(graph), local_(local), work_(work), transport_(transport), begin_(begin), options_(options),
          waits_(local.waits), parts_(local.id.size()), role_(local.id.size()), times_(local.id.size()),
          ready_(local.id.size()), unfinished_(local.id.size()) {
        for (const LocalTransfer& t : local.sent) role_[t.task] = &t;
        for (const LocalTransfer& t : local.received) parts_[t.task] = t.parts;
        posts_.resize(local.id.size());
        for (const LocalTransfer& t : local.received)
            if (t.posts_after == LocalTasks::none)
                to_receive_.push_back(&t);
            else
                posts_[t.posts_after].push_back(&t);
        for (const LocalTransfer& t : local.received) receives_.push_back(t.task);
        received_.resize(local.id.size());
        for (const std::size_t task : receives_) received_[task] = true;
    }

    std::vector<LocalTime> run() {
        for (const LocalTransfer* t : to_receive_) post(*t);
        to_receive_.clear();
        transport_.sleep_until(begin_);
        {
            const std::lock_guard lock(mutex_);
            for (std::size_t task = 0; task < waits_.size(); ++task)
                if (local_.waits[task] == 0 && !received_[task]) release(task);
        }
        try {
            if (options_.computing == Computing::between_messages)
                by_turns();
            else
                side_by_side();
        } catch (...) {
            transport_.abandon();
            throw;
        }
        return std::move(times_);
    }

  private:
    [[nodiscard]] const Task& task(std::size_t local) const { return graph_.tasks()[local_.id[local]]; }
    [[nodiscard]] Seconds now() const { return transport_.now() - begin_; }

    // All of these hold the lock. A task has all that it waits for: joins end at once, others are somebody's to do.
    void release(std::size_t first) {
        std::deque<std::size_t> free = {first};
        while (!free.empty()) {
            const std::size_t t = free.front();
            free.pop_front();
            if (task(t).kind == TaskKind::compute) {
                ready_[t] = true;
            } else if (task(t).kind == TaskKind::transfer) {
                to_send_.push_back(role_[t]);
            } else {
                const Seconds at = now();
                times_[t] = {at, at};
                end(t, free);
            }
        }
        changed_.notify_all();
    }
    void end(std::size_t t, std::deque<std::size_t>& free) {
        --unfinished_;
        to_receive_.insert(to_receive_.end(), posts_[t].begin(), posts_[t].end());
        for (const std::size_t next : local_.after[t])
            if (--waits_[next] == 0) free.push_back(next);
    }
    void finish(std::size_t t) {
        std::deque<std::size_t> free;
        end(t, free);
        for (const std::size_t next : free) release(next);
        changed_.notify_all();
    }

    void side_by_side() {
        std::thread computing([this] { compute(); });
        try {
            communicate();
        } catch (...) {
            fail(std::current_exception());
        }
        computing.join();
        if (failure_) std::rethrow_exception(failure_);
    }

    // Messages that may be sent go first, then one computation. Where nothing may be computed, only the end of a
    // message can change that: it is waited for without looking again and again, which a simulated MPI would count.
    void by_turns() {
        std::vector<std::size_t> completed;
        std::size_t next = 0;
        while (true) {
            begin_messages();
            if (unfinished_ == 0) return;
            const bool computes = next < local_.compute.size() && ready_[local_.compute[next]];
            if (!computes && under_way_ == 0) throw InternalError("tasks are left that nothing will end");
            completed.clear();
            if (computes) {
                compute(next++);
                transport_.completed(completed);
            } else {
                transport_.wait(completed);
            }
            end_messages(completed);
        }
    }

    void compute(std::size_t i) {
        const std::size_t t = local_.compute[i];
        const Seconds start = now();
        const Seconds took = work_.compute(i, task(t).label);
        if (options_.computed) options_.computed(task(t));
        const std::lock_guard lock(mutex_);
        // Where nothing goes on meanwhile, the transport's clock tells as well, and it may be a simulated one.
        const bool alone = options_.computing == Computing::between_messages;
        times_[t] = {start, alone ? now() : std::min(start + took, now())};
        finish(t);
    }
    void compute() {
        try {
            for (std::size_t i = 0; i < local_.compute.size(); ++i) {
                {
                    std::unique_lock lock(mutex_);
                    changed_.wait(lock, [&] { return ready_[local_.compute[i]] || failure_; });
                    if (failure_) return;
                }
                compute(i);
            }
        } catch (...) {
            fail(std::current_exception());
        }
    }
    void fail(std::exception_ptr failure) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::move(failure);
        changed_.notify_all();
    }

    void communicate() {
        std::vector<std::size_t> completed;
        const std::chrono::microseconds least = transport_.between_looks();
        Seconds last = now();  // when something ended or began
        while (true) {
            const bool idle = completed.empty();
            completed.clear();
            // Each look takes a core's time, which other ranks or the network's own work may need.
            const auto pause =
                std::clamp(std::chrono::microseconds(std::llround(1e6 * late_by * (now() - last).value())), least,
                           transport_.between_looks_at_most());
            {
                std::unique_lock lock(mutex_);
                if (failure_ || unfinished_ == 0) return;
                const auto something = [&] {
                    return failure_ || unfinished_ == 0 || !to_send_.empty() || !to_receive_.empty();
                };
                if (under_way_ == 0)
                    changed_.wait(lock, something);
                else if (idle && pause.count() > 0)
                    changed_.wait_for(lock, pause, something);
            }
            if (begin_messages()) last = now();
            transport_.completed(completed);
            end_messages(completed);
            if (!completed.empty()) last = now();
            if (completed.empty() && pause.count() == 0) std::this_thread::yield();
        }
    }

    // Whether there were any.
    bool begin_messages() {
        std::vector<const LocalTransfer*> sends, receives;
        {
            const std::lock_guard lock(mutex_);
            sends.swap(to_send_);
            receives.swap(to_receive_);
        }
        take_turns(sends);
        for (const LocalTransfer* t : receives) post(*t);
        for (const LocalTransfer* t : sends) start(*t);
        return !sends.empty() || !receives.empty();
    }
    void end_messages(const std::vector<std::size_t>& completed) {
        if (completed.empty()) return;
        const Seconds ended = now() - transport_.ended_before();
        const std::lock_guard lock(mutex_);
        for (const std::size_t t : completed) {
            --under_way_;
            if (--parts_[t] > 0) continue;
            times_[t].finish = std::max(ended, times_[t].start);
            finish(t);
        }
    }

    // Messages that may be sent at once go in the order of a simulation that keeps gaps between them (run_tasks.cpp).
    void take_turns(std::vector<const LocalTransfer*>& sends) const {
        const auto turn = [&](const LocalTransfer* t) {
            return turn_of(transport_.rank(), task(t->task).peer, transport_.ranks());
        };
        std::stable_sort(sends.begin(), sends.end(),
                         [&](const LocalTransfer* a, const LocalTransfer* b) { return turn(a) < turn(b); });
    }

    // One message as so many equal parts, the last of which is whatever is left.
    template <class Bytes, class Begin>
    void in_parts(Bytes bytes, std::int64_t parts, Begin begin) {
        const std::size_t each = bytes.size() / static_cast<std::size_t>(parts);
        for (std::int64_t i = 0; i < parts; ++i) {
            const bool last = i + 1 == parts;
            begin(last ? bytes : bytes.first(each));
            if (!last) bytes = bytes.subspan(each);
            ++under_way_;
        }
    }
    void post(const LocalTransfer& t) {
        const Task& what = task(t.task);
        in_parts(work_.incoming(what.label, t.message), t.parts, [&](std::span<std::byte> bytes) {
            transport_.receive(what.label.rank, local_.id[t.task], bytes, t.task);
        });
    }
    void start(const LocalTransfer& t) {
        const Task& what = task(t.task);
        const Seconds at = now();
        {
            const std::lock_guard lock(mutex_);
            times_[t.task].start = at;
            parts_[t.task] = t.parts;
        }
        in_parts(work_.outgoing(what.label, t.message), t.parts, [&](std::span<const std::byte> bytes) {
            transport_.send(what.peer, local_.id[t.task], bytes, t.task);
        });
    }

    const TaskGraph& graph_;
    const LocalTasks& local_;
    RankWork& work_;
    Transport& transport_;
    Seconds begin_;
    const RankOptions& options_;

    std::mutex mutex_;  // for what both threads use: all below but under_way_ and role_
    std::condition_variable changed_;
    std::vector<std::uint32_t> waits_;        // [local task]: for so many that have not ended
    std::vector<std::int64_t> parts_;         // [local task]: of a transfer, that have not ended
    std::vector<const LocalTransfer*> role_;  // [local task]: what this rank sends
    std::vector<LocalTime> times_;            // [local task]
    std::vector<bool> ready_;                 // [local task]: computation that may begin
    std::vector<bool> received_;              // [local task]: that another rank begins
    std::vector<std::size_t> receives_;
    std::vector<std::vector<const LocalTransfer*>> posts_;  // [local task]: whose memory is free after it
    std::vector<const LocalTransfer*> to_send_, to_receive_;
    std::size_t unfinished_;
    std::exception_ptr failure_;
    std::size_t under_way_ = 0;
};

}  // namespace

std::vector<LocalTime> run_tasks_of_rank(const TaskGraph& graph, const LocalTasks& local, RankWork& work,
                                         Transport& transport, Seconds begin, const RankOptions& options) {
    return RankRun(graph, local, work, transport, begin, options).run();
}

}  // namespace moesim
