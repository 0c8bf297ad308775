// Clusters of experts that tokens choose together.
#include <memory>

#include "base/error.hpp"
#include "planner/coactivation.hpp"
#include "support/catch.hpp"
#include "support/planner_problems.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// One layer of six experts, on two nodes of one position: ten tokens each choose 0 with 1, 1 with 2, 0 with 2, and 3
// with 4, 4 with 5, 3 with 5; one chooses 2 with 3.
PlannerProblem two_families() {
    RoutingTrace t;
    t.layers = 1;
    t.top_k = 2;
    t.experts = 6;
    t.source_begin = {0};
    const auto add = [&](ExpertIndex a, ExpertIndex b, int times) {
        for (int i = 0; i < times; ++i, ++t.tokens) t.choices.insert(t.choices.end(), {a, b});
    };
    for (const ExpertIndex f : {ExpertIndex{0}, ExpertIndex{3}}) {
        add(f, static_cast<ExpertIndex>(f + 1), 10);
        add(static_cast<ExpertIndex>(f + 1), static_cast<ExpertIndex>(f + 2), 10);
        add(f, static_cast<ExpertIndex>(f + 2), 10);
    }
    add(2, 3, 1);
    PlannerProblem p = first_choice_problem({{0}}, 6, 2);
    p.positions.node = {0, 1};
    p.workload = workload_counts(std::make_shared<const RoutingTrace>(std::move(t)));
    return p;
}

}  // namespace

// {0, 1, 2} and {3, 4, 5}: one of 61 pairs is apart. Both positions have 61 of 122 choices, so a copy helps no one.
TEST_CASE("co-activation: two families of experts") {
    PlannerProblem problem = two_families();
    problem.slots = 4;
    const PlannerResult r = coactivation_plan(problem, {}, {});
    CHECK(r.value == Approx(1.0 / 61));
    CHECK_FALSE(r.placement.replicated());
}

// 40 more tokens choose 0 with 1: 141 choices against 61. Experts 0 and 1 have 60 of them each, so the first is copied:
// 111 and 91; then 1: 81 and 121 would be worse for the other. The pair that is apart stays.
TEST_CASE("co-activation: the hottest expert is copied") {
    PlannerProblem problem = two_families();
    RoutingTrace t = *problem.workload.trace;
    for (int i = 0; i < 40; ++i, ++t.tokens) t.choices.insert(t.choices.end(), {0, 1});
    problem.workload = workload_counts(std::make_shared<const RoutingTrace>(std::move(t)));
    problem.slots = 5;
    const PlannerResult r = coactivation_plan(problem, {}, {});
    CHECK(r.value == Approx(1.0 / 101));
    CHECK(r.placement.replicas(LayerId(0), 0).size() == 2);
    for (std::size_t e = 1; e < 6; ++e) CHECK(r.placement.replicas(LayerId(0), e).size() == 1);
    problem.slots = 3;
    CHECK_FALSE(coactivation_plan(problem, {}, {}).placement.replicated());
}

TEST_CASE("co-activation: sizes, slots and memory are kept, the same for the same seed") {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        PlannerProblem problem = random_problem(seed, {60, 3, 12, 3, 2, 4});
        problem.slots = 4 + seed % 3;
        problem.memory = Bytes(static_cast<std::int64_t>(1000 * (18 + seed)));
        Effort effort;
        effort.seed = seed;
        const PlannerResult r = coactivation_plan(problem, {}, effort);
        INFO("seed " << seed);
        CHECK(r.value >= 0);
        CHECK(r.value <= 1);
        for (std::size_t p = 0; p < 4; ++p) {
            CHECK(r.placement.experts_at(p) <= 18 + seed);
            for (std::size_t l = 0; l < 3; ++l) {
                std::size_t held = 0;
                for (std::size_t e = 0; e < 12; ++e)
                    for (const std::uint32_t at : r.placement.replicas(LayerId(l), e)) held += at == p ? 1 : 0;
                CHECK(held <= problem.slots);
            }
        }
        CHECK(coactivation_plan(problem, {}, effort).placement == r.placement);
    }
}

TEST_CASE("co-activation: slots and memory that do not suffice are refused") {
    PlannerProblem problem = two_families();
    problem.slots = 2;
    CHECK_THROWS_AS(coactivation_plan(problem, {}, {}), InputError);
    problem.slots = 3;
    problem.memory = Bytes(2999);
    CHECK_THROWS_AS(coactivation_plan(problem, {}, {}), InputError);
}
