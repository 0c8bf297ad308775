// Executed layers, on ranks that are threads, give what one process computes without a message.
#include <algorithm>
#include <atomic>

#include "calibrate/execute/execute.hpp"
#include "calibrate/execute/rank_run.hpp"
#include "calibrate/execute/reference.hpp"
#include "calibrate/execute/work_plan.hpp"
#include "kernels/cpu/backend.hpp"
#include "study/resolve.hpp"
#include "support/catch.hpp"
#include "support/random_scenario.hpp"
#include "support/scenarios.hpp"
#include "support/thread_transport.hpp"

namespace moesim::test {
namespace {

// A random scenario without what is not executed.
Scenario executable(std::uint64_t number) {
    Scenario s = random_scenario(number);
    while (s.parallelism.tensor != 1 || s.parallelism.sequence != 1) s = random_scenario(number += 1000);
    // Attention needs whole sequences: where micro-batches cut them, tokens are their own.
    if (s.model.attention) s.batch.sequences *= s.batch.tokens_per_sequence, s.batch.tokens_per_sequence = 1;
    s.batch.context = std::min<std::int64_t>(s.batch.context, 5);
    if (!s.model.attention) s.model.dense_layers_per_moe_layer = 0;
    s.model.dtype = s.dispatch.return_dtype = Dtype::bf16;
    if (s.dispatch.algorithm == Algorithm::context_coherent) s.dispatch.algorithm = Algorithm::direct;
    s.network.faults = {};
    return s;
}

std::unique_ptr<kernels::Backend> one_core() {
    kernels::CpuOptions options;
    options.threads = 1;
    return kernels::make_cpu_backend(options);
}

Execution execute_on_threads(const Scenario& scenario, const RankOptions& rank = {}) {
    std::optional<Execution> done;
    on_threads(static_cast<std::size_t>(scenario.parallelism.ranks()), [&](Transport& transport) {
        const auto backend = one_core();
        ExecuteOptions options;
        options.repeats = 1;
        options.rank = rank;
        auto own = execute(resolve(scenario, "test"), transport, *backend, options);
        if (own) done = std::move(own);
    });
    return std::move(*done);
}

std::uint64_t reference(const Scenario& scenario) {
    const auto backend = one_core();
    return reference_checksum(resolve(scenario, "test"), *backend);
}

}  // namespace

TEST_CASE("an execution computes what one process does: random scenarios") {
    const auto number = GENERATE(range(0, 60));
    const Scenario s = executable(static_cast<std::uint64_t>(number));
    INFO("scenario " << number << ", " << s.parallelism.ranks() << " ranks, " << name(s.dispatch.algorithm)
                     << ", dedup " << static_cast<int>(s.dispatch.dedup));
    const Execution done = execute_on_threads(s);
    CHECK(done.checksum == reference(s));
    // Every task took place, after what it waited for.
    for (const TaskGraph::Edge& e : done.result.graph.edges())
        CHECK(done.runs[0][e.before].start <= done.runs[0][e.after].finish);
}

TEST_CASE("computing between messages, on the thread that sends them, changes neither bits nor messages") {
    const auto number = GENERATE(range(100, 115));
    const Scenario s = executable(static_cast<std::uint64_t>(number));
    INFO("scenario " << number << ", " << s.parallelism.ranks() << " ranks, " << name(s.dispatch.algorithm));
    std::atomic<std::size_t> computed = 0;
    const Execution beside = execute_on_threads(s);
    const Execution between = execute_on_threads(s, {Computing::between_messages, [&](const Task&) { ++computed; }});
    CHECK(between.checksum == beside.checksum);
    CHECK(between.dispatch_bytes == beside.dispatch_bytes);
    CHECK(between.return_bytes == beside.return_bytes);
    const auto& tasks = between.result.graph.tasks();
    CHECK(computed == 2 * static_cast<std::size_t>(  // the run that warms up, and the one that is kept
                              std::count_if(tasks.begin(), tasks.end(),
                                            [](const Task& t) { return t.kind == TaskKind::compute; })));
    for (const TaskGraph::Edge& e : between.result.graph.edges())
        CHECK(between.runs[0][e.before].start <= between.runs[0][e.after].finish);
}

TEST_CASE("ranks, placement, algorithm and overlap change no bit") {
    // Eight sequences of five tokens through attention, a dense layer, shared and routed experts; hash routing gives a
    // token the same experts wherever it is.
    Scenario s = tiny(4, 40);
    s.batch = {};
    s.batch.sequences = 8;
    s.batch.tokens_per_sequence = 5;
    s.batch.context = 3;
    s.routing.policy = Policy::hash;
    s.model.experts = 8;
    s.model.top_k = 3;
    s.model.hidden = 48;
    s.model.moe_layers = 2;
    s.model.attention = AttentionSpec{4, 2, 8, true};
    s.model.dense_layers_per_moe_layer = 1;
    s.model.dense_ffn = 40;
    s.model.shared_experts = 1;
    s.model.shared_ffn = 24;
    const std::uint64_t four = execute_on_threads(s).checksum;
    CHECK(four == reference(s));

    Scenario changed = s;
    changed.schedule.micro_batches = 2;
    changed.schedule.chunks = 3;
    changed.schedule.order = Order::interleaved;
    changed.dispatch.algorithm = Algorithm::pairwise;
    changed.dispatch.window = 1;
    CHECK(execute_on_threads(changed).checksum == four);

    changed = s;
    changed.topology = small_tree(2, 2);
    changed.placement.method = PlacementMethod::round_robin;
    changed.dispatch.algorithm = Algorithm::rail;
    changed.dispatch.dedup = Dedup::node;
    CHECK(execute_on_threads(changed).checksum == four);

    changed = s;
    changed.topology = one_switch(2);
    changed.parallelism.data = changed.parallelism.expert = 2;
    changed.dispatch.algorithm = Algorithm::low_latency;
    changed.dispatch.dedup = Dedup::none;
    CHECK(execute_on_threads(changed).checksum == four);

    changed = s;  // another model gives other bits, so that the sum can tell
    changed.seed = 2;
    CHECK(execute_on_threads(changed).checksum != four);
}

TEST_CASE("a rank that fails ends its own run with what it threw") {
    Scenario s = tiny(2, 8);
    s.model.top_k = 1;
    class Failing final : public RankWork {
      public:
        Seconds compute(std::size_t task, const Label&) override {
            if (task == 2) throw std::runtime_error("no more");
            return {};
        }
        std::span<const std::byte> outgoing(const Label&, std::uint32_t) override { return {}; }
        std::span<std::byte> incoming(const Label&, std::uint32_t) override { return {}; }
    };
    const auto computing = GENERATE(Computing::beside_messages, Computing::between_messages);
    CHECK_THROWS_WITH(
        on_threads(
            2,
            [&](Transport& transport) {
                WorkPlan plan = work_plan(resolve(s, "test"), transport.rank());
                Failing work;
                run_tasks_of_rank(plan.result.graph, plan.local, work, transport, transport.now(), {computing, {}});
            }),
        "no more");
}

}  // namespace moesim::test
