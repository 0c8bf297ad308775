// FasterMoE's rule, on figures worked out by hand.
#include <limits>

#include "base/error.hpp"
#include "planner/shadowing.hpp"
#include "support/catch.hpp"
#include "support/planner_problems.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// One layer of four experts on two positions, contiguous, with 60, 20, 10 and 10 of 100 tokens; 1 ns a byte.
PlannerProblem hot_expert() {
    std::vector<std::vector<ExpertIndex>> tokens;
    for (int i = 0; i < 100; ++i)
        tokens.push_back({static_cast<ExpertIndex>(i < 60 ? 0 : i < 80 ? 1 : i < 90 ? 2 : 3)});
    PlannerProblem p = first_choice_problem(tokens, 4, 2);
    p.slots = 4;
    p.expert_bytes = Bytes(10'000);
    return p;
}

ShadowingOptions costs() {
    ShadowingOptions o;
    o.row = Bytes(1000);
    o.token_time = Seconds(1e-6);
    return o;
}

}  // namespace

// Without: 80 tokens on position 0, 80 us; half of them come from position 1, 40 us each way: 160 us. With expert 0 on
// both: 30 us for its share and 20 for expert 1, 10 us each way for the half of expert 1's tokens, 10 us to send its
// weights: 30 + 20 + 20 + 10 = 80 us. With expert 1 as well: 40 + 20 us on position 1, 10 us each way for the half of
// its 20, and 20 for the weights: 100 us. So only expert 0.
TEST_CASE("shadowing: the hottest expert of four") {
    const PlannerResult r = shadowing_plan(hot_expert(), costs(), {});
    CHECK(r.value == Approx(80e-6));
    CHECK(r.placement.replicas(LayerId(0), 0).size() == 2);
    for (std::size_t e = 1; e < 4; ++e) CHECK(r.placement.replicas(LayerId(0), e).size() == 1);
    CHECK_FALSE(r.bound.has_value());
}

// Weights of 100 us: 30 + 20 + 20 + 100 = 170 us is more than 160. In training, with 4 messages, 3 passes and 2
// transfers: 240 + 160 = 400 us, and 150 + 40 + 200 = 390 us.
TEST_CASE("shadowing: not where the weights take longer than what they save") {
    PlannerProblem problem = hot_expert();
    problem.expert_bytes = Bytes(100'000);
    ShadowingOptions options = costs();
    CHECK(shadowing_plan(problem, options, {}).value == Approx(160e-6));
    CHECK_FALSE(shadowing_plan(problem, options, {}).placement.replicated());
    options.messages = 4;
    options.passes = 3;
    options.transfers = 2;
    CHECK(shadowing_plan(problem, options, {}).value == Approx(390e-6));
}

// Weights that stay cost nothing: expert 0 everywhere, 70 us. Expert 1 as well: 40 + 20 us on position 1, 10 us each
// way for it, 80 us, where it stops, greedy as it is (everything everywhere: 50 us). That takes a third slot and memory
// for a third expert on position 1.
TEST_CASE("shadowing: within slots and memory") {
    PlannerProblem problem = hot_expert();
    ShadowingOptions options = costs();
    options.batches_a_transfer = std::numeric_limits<double>::infinity();
    CHECK(shadowing_plan(problem, options, {}).value == Approx(70e-6));
    problem.slots = 3;
    CHECK(shadowing_plan(problem, options, {}).value == Approx(70e-6));
    problem.slots = 2;
    CHECK(shadowing_plan(problem, options, {}).value == Approx(160e-6));
    problem.slots = 4;
    problem.memory = Bytes(29'999);  // two experts
    CHECK(shadowing_plan(problem, options, {}).value == Approx(160e-6));
    problem.memory = Bytes(10'000);
    CHECK_THROWS_AS(shadowing_plan(problem, options, {}), InputError);
    problem.memory.reset();
    problem.slots = 1;
    CHECK_THROWS_AS(shadowing_plan(problem, options, {}), InputError);
}

TEST_CASE("shadowing: copies stay within slots and memory") {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        PlannerProblem problem = random_problem(seed, {60, 3, 8, 2, 2, 4});
        problem.slots = 2 + seed % 4;
        problem.memory = Bytes(static_cast<std::int64_t>(1000 * (6 + seed)));
        const PlannerResult r = shadowing_plan(problem, costs(), {});
        INFO("seed " << seed);
        for (std::size_t p = 0; p < 4; ++p) {
            CHECK(r.placement.experts_at(p) <= 6 + seed);
            for (std::size_t l = 0; l < 3; ++l) {
                std::size_t held = 0;
                for (std::size_t e = 0; e < 8; ++e)
                    for (const std::uint32_t at : r.placement.replicas(LayerId(l), e)) held += at == p ? 1 : 0;
                CHECK(held <= problem.slots);
            }
        }
    }
}
