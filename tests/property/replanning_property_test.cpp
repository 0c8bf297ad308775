// Ways from one placement to another, on random small cases.
#include <algorithm>
#include <set>

#include "base/random.hpp"
#include "cost/stage_cost.hpp"
#include "planner/replan.hpp"
#include "study/planning.hpp"
#include "support/catch.hpp"
#include "support/layer_time_cases.hpp"
#include "support/placements.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// [position]: the experts of a layer.
std::vector<std::multiset<std::size_t>> clusters(const Placement& p, std::size_t layer) {
    std::vector<std::multiset<std::size_t>> all(p.positions());
    for (std::size_t e = 0; e < p.experts(); ++e)
        for (const std::uint32_t q : p.replicas(LayerId(layer), e)) all[q].insert(e);
    return all;
}

// Experts that a position has and did not have, each once.
std::int64_t new_copies(const Placement& before, const Placement& after) {
    std::int64_t count = 0;
    for (std::size_t l = 0; l < after.layers(); ++l) {
        const auto had = clusters(before, l), has = clusters(after, l);
        for (std::size_t q = 0; q < has.size(); ++q)
            for (const std::size_t e : std::set<std::size_t>(has[q].begin(), has[q].end()))
                count += had[q].count(e) == 0 ? 1 : 0;
    }
    return count;
}

// A case whose positions are those that planners see.
LayerTimeCase whole_case(std::uint64_t number) {
    LayerTimeCase c = layer_time_case(number);
    c.problem = planner_problem(c.scenario, PlanningOptions{}, *c.problem.workload.trace);
    return c;
}

Placement any_placement(const LayerTimeCase& c, std::uint64_t number) {
    const WorkloadCounts& w = c.problem.workload;
    return random_placement(number, w.layers, w.experts, c.problem.positions.count(), number % 2 == 0);
}

}  // namespace

TEST_CASE("a migration moves the new copies and nothing else", "[replanning]") {
    for (std::uint64_t number = 0; number < 200; ++number) {
        INFO("case " << number);
        const LayerTimeCase c = whole_case(number);
        const Scenario& s = c.scenario;
        const Placement before = any_placement(c, number), after = any_placement(c, number + 1000);
        const Migration m = migration(before, after, s, c.fabric);
        const std::int64_t groups = s.parallelism.data / s.parallelism.expert;
        CHECK(m.copies == groups * new_copies(before, after));
        CHECK(m.bytes.value() ==
              m.copies * s.parallelism.tensor * feed_forward_bytes(s.model, s.model.expert_ffn, s.parallelism.tensor));
        CHECK((m.time > Seconds{}) == (m.copies > 0));
        for (const ExpertCopy& copy : expert_copies(before, after, c.problem.positions.node)) {
            const auto had = before.replicas(copy.layer, copy.expert);
            CHECK(std::count(had.begin(), had.end(), copy.from) > 0);
            CHECK(std::count(had.begin(), had.end(), copy.to) == 0);
        }
        CHECK(migration(before, before, s, c.fabric).copies == 0);
    }
}

TEST_CASE("relabelling keeps together what is together, and undoes itself", "[replanning]") {
    for (std::uint64_t number = 0; number < 200; ++number) {
        INFO("case " << number);
        const LayerTimeCase c = whole_case(number);
        const LayerTimeModel model(c.problem.workload, c.scenario, c.fabric);
        const AlikePositions alike(c.problem.positions, model.speeds());
        const Placement held = any_placement(c, number), plan = any_placement(c, number + 1000);
        for (const bool apart : {false, true}) {
            const Placement named = relabelled(plan, held, alike, apart);
            for (std::size_t l = 0; l < plan.layers(); ++l) {
                auto a = clusters(plan, l), b = clusters(named, l);
                std::sort(a.begin(), a.end());
                std::sort(b.begin(), b.end());
                CHECK(a == b);
            }
            // From a placement to itself under other names.
            CHECK(new_copies(plan, relabelled(named, plan, alike, apart)) == 0);
        }
    }
}

TEST_CASE("what is taken saves more than it costs", "[replanning]") {
    int taken = 0;
    for (std::uint64_t number = 0; number < 200; ++number) {
        INFO("case " << number);
        const LayerTimeCase c = whole_case(number);
        const LayerTimeModel model(c.problem.workload, c.scenario, c.fabric);
        const AlikePositions alike(c.problem.positions, model.speeds());
        const Placement held = any_placement(c, number), plan = any_placement(c, number + 1000);
        const ReplanRule rule{static_cast<std::int64_t>(1 + number * number), 0.1 * static_cast<double>(number % 3)};
        const Replan r = replan(held, plan, model, alike, c.scenario, rule);
        const auto steps = static_cast<double>(rule.steps);
        const auto layers = static_cast<double>(model.layers());
        const auto net = [&](const Placement& to) {
            return steps * layers * (model.mean_time(held) - model.mean_time(to)).value() -
                   migration(held, to, c.scenario, c.fabric).time.value();
        };
        const double best = steps * r.saving.value() - r.migration.time.value();
        const double slack = 1e-9 * (1 + steps * layers * model.mean_time(held).value());
        CHECK(best >= net(plan) - slack);
        CHECK(best == Approx(net(r.placement)).margin(slack));
        CHECK(r.taken ==
              (steps * r.saving.value() > (1 + *rule.hysteresis) * r.migration.time.value() && r.placement != held));
        CHECK_FALSE(replan(held, held, model, alike, c.scenario, rule).taken);
        taken += r.taken ? 1 : 0;
    }
    CHECK(taken > 10);
    CHECK(taken < 190);
}
