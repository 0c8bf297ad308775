// Profiles fitted to executed pipelines, by hand.
#include "calibrate/validate/fit_runs.hpp"

#include <cmath>

#include "base/error.hpp"
#include "support/catch.hpp"
#include "support/kernel_laws.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr auto dispatch = static_cast<std::size_t>(Stage::dispatch);
constexpr auto return_ = static_cast<std::size_t>(Stage::return_);
constexpr auto pack = static_cast<std::size_t>(Stage::pack);

// A pipeline that is easily computed: T tokens are T ms on the wire at an efficiency of 1, once a dispatch and twice a
// return, after one overhead; packing them is T times what its law has for a row.
SimulatedStages pipeline(const Scenario& scenario) {
    const auto tokens = static_cast<double>(scenario.batch.tokens());
    const LinkProfile& link = scenario.profile.nvlink;
    SimulatedStages s;
    s.mean_s[dispatch] = link.overhead.value.value() + 1e-3 * tokens / link.efficiency.value;
    s.mean_s[return_] = link.overhead.value.value() + 2e-3 * tokens / link.efficiency.value;
    if (const KernelLaw* law = scenario.profile.kernels.find(KernelOperation::pack))
        s.mean_s[pack] = tokens * law->seconds_per[static_cast<std::size_t>(KernelQuantity::row)];
    return s;
}

std::vector<SimulatedStages> pipelines(const std::vector<Scenario>& scenarios) {
    std::vector<SimulatedStages> all;
    for (const Scenario& s : scenarios) all.push_back(pipeline(s));
    return all;
}

// Of ranks whose links reach 0.8 of the wire after 5 ms, and which pack a row in 3 us; each of two repeats longer and
// shorter by `noise`.
MeasuredRun measured(std::int64_t tokens, double noise = 0) {
    MeasuredRun run;
    run.scenario = tiny(2, tokens);
    run.scenario.name = std::to_string(tokens) + " tokens";
    run.dispatch_bytes = 1;
    const auto t = static_cast<double>(tokens);
    for (const double factor : {1 - noise, 1 + noise}) {
        RunSample sample;
        sample.mean_s[dispatch] = factor * (5e-3 + 1e-3 * t / 0.8);
        sample.mean_s[return_] = factor * (5e-3 + 2e-3 * t / 0.8);
        sample.mean_s[pack] = factor * 3e-6 * t;
        run.runs.push_back(sample);
    }
    return run;
}

// Links as fast as the wire without start-up; a row packed in 2 us.
Profile begin() {
    Profile p = ideal_profile();
    KernelLaw law;
    law.operation = KernelOperation::pack;
    law.seconds_per[static_cast<std::size_t>(KernelQuantity::row)] = 2e-6;
    p.kernels.laws = {law};
    return p;
}

}  // namespace

TEST_CASE("runs give the links' figures and what their operations take more than alone") {
    const RunFit fit = fit_runs(begin(), {measured(8), measured(16), measured(64)}, pipelines, "2026-11-23");
    CHECK(fit.profile.nvlink.efficiency.value == Approx(0.8).epsilon(1e-3));
    CHECK(fit.profile.nvlink.overhead.value.value() == Approx(5e-3).epsilon(1e-2));
    // 3 us / 2 us a row.
    const KernelLaw& law = *fit.profile.kernels.find(KernelOperation::pack);
    CHECK(law.seconds_per[static_cast<std::size_t>(KernelQuantity::row)] == is(3e-6));
    CHECK(law.fit.date == "2026-11-23");
    CHECK(law.fit.worst < 1e-3);
    // Links that no message takes stay as they were.
    CHECK(fit.profile.nic == begin().nic);
}

TEST_CASE("what repeats differ by is what predictions are off by") {
    const RunFit fit =
        fit_runs(begin(), {measured(8, 0.1), measured(16, 0.1), measured(64, 0.1)}, pipelines, "2026-11-23");
    // Half of them are 0.9 of the prediction, half 1.1. Of three runs, Student's t at 95% with 2 degrees of freedom is
    // 2.920, and a run to come is 2.920 / 1.645 = 1.775 times as far off: 0.9^1.775 and 1.1^1.775.
    REQUIRE(fit.profile.nvlink.residuals);
    const std::vector<double>& quantiles = fit.profile.nvlink.residuals->value;
    CHECK(quantiles.front() == Approx(0.829).epsilon(0.01));
    CHECK(quantiles.back() == Approx(1.184).epsilon(0.01));
    CHECK(fit.profile.kernels.laws.front().fit.residuals.back() == Approx(1.184).epsilon(0.01));
}

TEST_CASE("runs that cannot be fitted to are refused") {
    const auto fit = [](const std::vector<MeasuredRun>& runs) {
        return [=] { fit_runs(begin(), runs, pipelines, ""); };
    };
    CHECK_THROWS_WITH(fit({measured(8), measured(16)})(),
                      "--from: found 2 runs, expected at least 3, of which each is held out in turn");
    MeasuredRun silent = measured(8), elsewhere = measured(8);
    silent.dispatch_bytes = 0;
    CHECK_THROWS_WITH(fit({measured(8), measured(16), silent})(),
                      "8 tokens: $.dispatch_bytes and $.runs: found no messages that took time, expected some");
    MeasuredRun timeless = measured(8);
    for (RunSample& repeat : timeless.runs) repeat.mean_s = {};
    CHECK_THROWS_WITH(fit({measured(8), measured(16), timeless})(),
                      "8 tokens: $.dispatch_bytes and $.runs: found no messages that took time, expected some");
    elsewhere.scenario.topology = one_switch(4);
    CHECK_THROWS_WITH(fit({measured(16), measured(32), elsewhere})(),
                      "8 tokens: $.scenario.topology: found another one than in 16 tokens, expected the same");
    MeasuredRun core = measured(16), gpu = measured(8);
    core.facts = {"cpu", "1 thread", "Open MPI", {}, ""};
    gpu.facts = {"cuda", "H100", "NCCL", {}, ""};
    CHECK_THROWS_WITH(fit({core, core, gpu})(),
                      "8 tokens: $.backend: found \"cuda\", expected \"cpu\", as in 16 tokens");
    gpu.facts = core.facts;
    gpu.facts.device = "4 threads";
    core.file = "core.json", gpu.file = "gpu.json";
    CHECK_THROWS_WITH(fit({core, core, gpu})(),
                      "gpu.json: $.device: found \"4 threads\", expected \"1 thread\", as in core.json");
    gpu.facts = core.facts;
    gpu.facts.messages = "MPICH";
    CHECK_THROWS_WITH(fit({core, core, gpu})(),
                      "gpu.json: $.messages: found \"MPICH\", expected \"Open MPI\", as in core.json");
}
