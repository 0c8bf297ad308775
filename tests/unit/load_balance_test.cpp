#include "planner/load_balance.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "planner/fixed_placements.hpp"
#include "planner/load_measures.hpp"
#include "support/catch.hpp"

using namespace moesim;

namespace {

PlannerProblem problem_of(const std::vector<std::vector<double>>& load, std::size_t positions, std::size_t slots) {
    PlannerProblem p;
    p.workload.layers = load.size();
    p.workload.experts = load[0].size();
    p.workload.load = Matrix<double>(load.size(), load[0].size());
    for (std::size_t l = 0; l < load.size(); ++l)
        std::copy(load[l].begin(), load[l].end(), p.workload.load.row(l).begin());
    p.positions.node.assign(positions, 0);
    p.slots = slots;
    return p;
}

PlannerProblem random_problem(std::uint64_t seed, std::size_t layers, std::size_t experts, std::size_t positions) {
    RandomStream random(stream_key(seed, 2), 0);
    std::vector<std::vector<double>> load(layers, std::vector<double>(experts));
    for (auto& row : load)
        for (double& w : row) w = 1 + std::floor(std::exp(4 * random.uniform()));
    return problem_of(load, positions, (experts + positions - 1) / positions);
}

std::vector<std::size_t> layer(const Placement& p, std::size_t l) {
    std::vector<std::size_t> at;
    for (std::size_t e = 0; e < p.experts(); ++e) at.push_back(p.position(LayerId(l), e));
    return at;
}

// The least imbalance of all placements of one layer with at most `most` experts a position.
double least_imbalance(const PlannerProblem& p, std::size_t most) {
    const std::size_t positions = p.positions.count(), experts = p.workload.experts;
    double best = 1e300;
    std::size_t all = 1;
    for (std::size_t e = 0; e < experts; ++e) all *= positions;
    for (std::size_t code = 0; code < all; ++code) {
        Matrix<std::uint32_t> at(1, experts);
        std::vector<std::size_t> held(positions);
        std::size_t rest = code;
        for (std::size_t e = 0; e < experts; ++e, rest /= positions) {
            at(0, e) = static_cast<std::uint32_t>(rest % positions);
            ++held[rest % positions];
        }
        if (*std::max_element(held.begin(), held.end()) > most) continue;
        best = std::min(best, load_imbalance(p.workload.load, Placement(at, positions)));
    }
    return best;
}

}  // namespace

TEST_CASE("placements that look at nothing", "[planner]") {
    const PlannerProblem p = problem_of({{1, 1, 1, 5}, {1, 1, 1, 1}}, 2, 2);
    CHECK(layer(contiguous_plan(p, {}).placement, 0) == std::vector<std::size_t>{0, 0, 1, 1});
    CHECK(layer(round_robin_plan(p, {}).placement, 1) == std::vector<std::size_t>{0, 1, 0, 1});
    // Layer 0: 6 on position 1, 4 on average; layer 1 is even.
    CHECK(contiguous_plan(p, {}).value == Approx((1.5 + 1) / 2));
    CHECK(contiguous_plan(p, {}).bound == Approx((1.5 + 1) / 2));  // 5 and one of 1 must go together
    const Placement a = random_plan(p, {1, {}, {}}).placement;
    CHECK(a == random_plan(p, {1, {}, {}}).placement);
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        const Placement r = random_plan(problem_of({std::vector<double>(12, 1)}, 3, 4), {seed, {}, {}}).placement;
        for (std::size_t q = 0; q < 3; ++q) CHECK(r.experts_at(q) == 4);
    }
}

// Loads 7, 6, 5, 4, 3, 2 on two positions of three: 7 | 6, 5 to the second (6 < 7), 4 to the first (7 < 11); 11 | 11;
// 3 to the first, which is then full, 2 to the second: 14 | 13.
TEST_CASE("longest first, by hand", "[planner]") {
    const PlannerProblem p = problem_of({{2, 3, 4, 5, 6, 7}}, 2, 3);
    const PlannerResult r = longest_first_plan(p, {});
    CHECK(layer(r.placement, 0) == std::vector<std::size_t>{1, 0, 0, 1, 1, 0});
    CHECK(r.value == Approx(14 / 13.5));
}

// Loads 6, 5, 5, 4, 4 and nothing on two positions of three. Longest first: {6, 4, 4} = 14 and {5, 5, 0} = 10. Swapping
// 6 for 5 gives 13 and 11. Then a swap would have to shift 1, which no pair does: {5, 4, 4} and {6, 5, 0}.
TEST_CASE("swaps after longest first, by hand", "[planner]") {
    const PlannerProblem p = problem_of({{6, 5, 5, 4, 4, 0}}, 2, 3);
    CHECK(longest_first_plan(p, {}).value == Approx(14.0 / 12));
    CHECK(balanced_swaps_plan(p, {}).value == Approx(13.0 / 12));
}

// Loads 8, 1, 1, 1 twice, slots for three a layer, memory for four in all. Layer 0: 8 to position 0, the rest to
// position 1. Position 1 has room for one more; position 0 must take three of the next layer: 8 goes to 0, 1 to 1, and
// the others to 0, which alone has room.
TEST_CASE("load balance with memory limits, by hand", "[planner]") {
    PlannerProblem p = problem_of({{8, 1, 1, 1}, {8, 1, 1, 1}}, 2, 3);
    p.expert_bytes = Bytes(100);
    p.memory = Bytes(450);
    const Placement placed = memory_limited_plan(p, {}).placement;
    CHECK(layer(placed, 0) == std::vector<std::size_t>{0, 1, 1, 1});
    CHECK(layer(placed, 1) == std::vector<std::size_t>{0, 1, 0, 0});
    p.memory = Bytes(399);
    CHECK_THROWS_AS(memory_limited_plan(p, {}), InputError);
    p.memory.reset();
    CHECK(layer(memory_limited_plan(p, {}).placement, 1) == std::vector<std::size_t>{0, 1, 1, 1});
    p.slots = 1;
    CHECK_THROWS_AS(memory_limited_plan(p, {}), InputError);
}

TEST_CASE("load balance keeps its limits and its bounds", "[planner]") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        PlannerProblem p = random_problem(seed, 1, 6, 2 + seed % 2);
        const std::size_t even = p.slots;
        const double least = least_imbalance(p, even);
        for (const PlannerResult& r : {longest_first_plan(p, {}), balanced_swaps_plan(p, {}), contiguous_plan(p, {})}) {
            INFO("seed " << seed);
            CHECK(r.value >= least - 1e-12);
            CHECK(*r.bound <= least + 1e-12);
            for (std::size_t q = 0; q < p.positions.count(); ++q) CHECK(r.placement.experts_at(q) <= even);
        }
        CHECK(balanced_swaps_plan(p, {}).value <= longest_first_plan(p, {}).value + 1e-12);
        p.slots = even + 1;
        CHECK(*memory_limited_plan(p, {}).bound <= least_imbalance(p, even + 1) + 1e-12);
    }
    // Memory without slack: every position must be full in the end.
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        PlannerProblem p = random_problem(seed, 7, 12, 4);
        p.slots = 3 + seed % 4;
        p.expert_bytes = Bytes(10);
        p.memory = Bytes(10 * (21 + static_cast<std::int64_t>(seed % 3)));
        const Placement placed = memory_limited_plan(p, {}).placement;
        for (std::size_t q = 0; q < 4; ++q) CHECK(placed.experts_at(q) <= 21 + seed % 3);
    }
}
