// Executed layers, on ranks that are threads, give what one process computes without a message.
#include <algorithm>

#include "calibrate/execute/execute.hpp"
#include "calibrate/execute/reference.hpp"
#include "calibrate/execute/work_plan.hpp"
#include "kernels/cpu/backend.hpp"
#include "study/resolve.hpp"
#include "support/catch.hpp"
#include "support/random_scenario.hpp"
#include "support/thread_transport.hpp"

namespace moesim::test {
namespace {

// A random scenario without what is not executed.
Scenario executable(std::uint64_t number) {
    Scenario s = random_scenario(number);
    while (s.parallelism.tensor != 1 || s.parallelism.sequence != 1) s = random_scenario(number += 1000);
    s.model.attention.reset();
    s.model.dense_layers_per_moe_layer = 0;
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

Execution execute_on_threads(const Scenario& scenario, int repeats = 1) {
    std::optional<Execution> done;
    on_threads(static_cast<std::size_t>(scenario.parallelism.ranks()), [&](Transport& transport) {
        const auto backend = one_core();
        ExecuteOptions options;
        options.repeats = repeats;
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

}  // namespace moesim::test
