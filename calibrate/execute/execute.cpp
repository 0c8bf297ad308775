#include "calibrate/execute/execute.hpp"

#include <cstring>

#include "base/error.hpp"
#include "calibrate/execute/kernel_work.hpp"
#include "calibrate/execute/message_rounds.hpp"

namespace moesim {
namespace {

// Ranks that have left a barrier set out together after so much more, since they leave it one after another.
constexpr Seconds before_start{0.02};

// The common moment to begin at, on this rank's clock.
Seconds agree_on_start(Transport& transport) {
    transport.barrier();
    Seconds at = transport.now() + before_start;
    transport.broadcast(std::as_writable_bytes(std::span(&at, 1)));
    return at + transport.clock_ahead();
}

template <class T>
std::vector<T> gathered(Transport& transport, const std::vector<T>& own) {
    std::vector<T> all;
    for (const auto& part : transport.gather(std::as_bytes(std::span(own)))) {
        const std::size_t at = all.size();
        all.resize(at + part.size() / sizeof(T));
        if (!part.empty()) std::memcpy(all.data() + at, part.data(), part.size());
    }
    return all;
}

// One end's view of a task.
struct Record {
    TaskId task = 0;
    std::uint32_t end = 0;  // 0: whose task it is, or who sends; 1: who receives
    double start = 0, finish = 0;
};

std::vector<Record> records(const WorkPlan& work, RankId rank, const std::vector<LocalTime>& times) {
    std::vector<Record> all;
    for (std::size_t i = 0; i < times.size(); ++i) {
        const TaskId id = work.local.id[i];
        const bool receives = work.result.graph.tasks()[id].label.rank != rank;
        all.push_back({id, receives ? 1U : 0U, times[i].start.value(), times[i].finish.value()});
    }
    return all;
}

// A transfer lasts from its sender's start to its receiver's end. Clocks of several machines agree only so well: no
// task ends before it begins.
std::vector<TaskTime> merged(const TaskGraph& graph, const std::vector<Record>& all) {
    std::vector<TaskTime> times(graph.tasks().size());
    for (const Record& r : all) {
        const bool transfer = graph.tasks()[r.task].kind == TaskKind::transfer;
        if (r.end == 0) times[r.task].start = Seconds(r.start);
        if (r.end == 1 || !transfer) times[r.task].finish = Seconds(r.finish);
    }
    for (TaskTime& t : times) t.finish = std::max(t.finish, t.start);
    return times;
}

// On rank 0: those of all ranks, by their number.
std::vector<float> all_tokens(const WorkPlan& work, KernelWork& kernels, Transport& transport) {
    const Scenario& s = work.result.plan.scenario;
    const auto values = gathered(transport, kernels.tokens());
    const auto runs = gathered(transport, work.batch_tokens);
    std::vector<float> all(values.size());
    auto next = values.begin();
    for (const Range& run : runs) {
        const auto end = next + static_cast<std::ptrdiff_t>(run.size() * s.model.hidden);
        std::copy(next, end, all.begin() + (run.begin - s.batch.first_token) * s.model.hidden);
        next = end;
    }
    return all;
}

}  // namespace

void set_causes(const TaskGraph& graph, std::vector<TaskTime>& times) {
    // The end of a message is noted when its rank looks, which may be after what it caused has begun.
    for (const TaskGraph::Edge& e : graph.edges()) {
        if (graph.tasks()[e.after].starts_with_first) continue;
        TaskTime& before = times[e.before];
        before.finish = std::min(before.finish, std::max(before.start, times[e.after].start));
    }
    for (const TaskGraph::Edge& e : graph.edges()) {
        TaskId& cause = times[e.after].cause;
        if (cause == TaskTime::no_cause || times[cause].finish < times[e.before].finish) cause = e.before;
    }
}

std::optional<Execution> execute(Plan plan, Transport& transport, kernels::Backend& backend,
                                 const ExecuteOptions& options, const std::function<void(double share)>& progress) {
    if (transport.ranks() != plan.fabric.ranks()) throw InternalError("as many ranks are needed as the scenario has");
    const RankId rank = transport.rank();
    const bool first = rank == RankId(0);
    WorkPlan work = work_plan(std::move(plan), rank);
    KernelWork kernels(work, backend);
    const std::vector<MessageRound> rounds = message_rounds(work.result.graph, work.local);
    if (options.rehearse) kernels.rehearse();
    std::optional<std::uint64_t> checksum;
    std::vector<std::vector<TaskTime>> runs;
    const Seconds since = transport.now();
    for (int i = 0; i < options.warm_up + options.repeats; ++i) {
        kernels.begin(i == 0 && options.warm_up > 0);
        transport.expect(rounds);
        const auto times = run_tasks_of_rank(work.result.graph, work.local, kernels, transport,
                                             agree_on_start(transport), options.rank);
        std::uint64_t sum = 0;
        for (const std::uint64_t part : gathered(transport, std::vector<std::uint64_t>{kernels.checksum()}))
            sum += part;
        const auto all = gathered(transport, records(work, rank, times));
        if (first) {
            if (checksum && *checksum != sum)
                throw InternalError("two runs of the same scenario gave different results");
            checksum = sum;
            if (i >= options.warm_up) {
                runs.push_back(merged(work.result.graph, all));
                set_causes(work.result.graph, runs.back());
            }
            if (progress) progress(static_cast<double>(i + 1) / static_cast<double>(options.warm_up + options.repeats));
        }
        // Rank 0's clock decides, so that all stop together.
        const bool late = transport.now() - since > options.at_most;
        unsigned char stop = options.at_most > Seconds{} && i >= options.warm_up && late;
        transport.broadcast(std::as_writable_bytes(std::span(&stop, 1)));
        if (stop) break;
    }
    std::vector<float> tokens;
    if (options.keep_tokens) tokens = all_tokens(work, kernels, transport);
    if (!first) return std::nullopt;
    const std::int64_t row = kernels.sent_row_bytes(), back = work.return_row_bytes;
    Execution done{std::move(work.result), std::move(runs), *checksum, row, 0, 0, std::move(tokens)};
    for (const Task& t : done.result.graph.tasks()) {
        if (t.kind != TaskKind::transfer) continue;
        if (t.label.stage == Stage::dispatch) done.dispatch_bytes += t.bytes.value() / work.row_bytes * row;
        if (t.label.stage == Stage::return_) done.return_bytes += t.bytes.value() / back * back;
    }
    return done;
}

}  // namespace moesim
