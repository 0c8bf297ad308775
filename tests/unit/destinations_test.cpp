#include "planner/destinations.hpp"

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/random.hpp"
#include "planner/fixed_placements.hpp"
#include "planner/load_measures.hpp"
#include "support/catch.hpp"

using namespace moesim;

namespace {

RoutingTrace random_trace(std::uint64_t seed, std::size_t tokens, std::size_t layers, std::size_t top_k,
                          std::uint32_t experts) {
    RoutingTrace t;
    t.tokens = tokens, t.layers = layers, t.top_k = top_k, t.experts = experts;
    t.source_begin = {0};
    RandomStream random(stream_key(seed, 9), 0);
    for (std::size_t i = 0; i < tokens * layers; ++i) {
        std::vector<ExpertIndex> chosen;
        while (chosen.size() < top_k) {
            const auto e = static_cast<ExpertIndex>(random.below(experts));
            if (std::find(chosen.begin(), chosen.end(), e) == chosen.end()) chosen.push_back(e);
        }
        if (random.below(10) == 0) chosen.back() = no_expert;
        t.choices.insert(t.choices.end(), chosen.begin(), chosen.end());
    }
    return t;
}

PlannerProblem problem_of(const RoutingTrace& trace, std::size_t positions) {
    PlannerProblem p;
    p.workload = workload_counts(std::make_shared<RoutingTrace>(trace));
    p.positions.node.assign(positions, 0);
    p.slots = (trace.experts + positions - 1) / positions;
    return p;
}

}  // namespace

// One token, two layers, top-2 of four experts on two positions, contiguous: {0, 1} then {1, 2}.
// Classical: 1 position, then 2, each remote with probability 1/2: 1.5 over two layers is 0.75.
// Coherent: the first layer is 0.5; then it is at expert 0's position, and expert 2 alone is elsewhere: 1.5 in all,
// 0.75. First choice 2 in layer 0, with 3: then it is on position 1, and expert 1 alone is elsewhere. The same; {0, 1}
// after {2, 3} is one remote position instead of half a one: 1.5 against 1.
TEST_CASE("remote destinations, by hand", "[planner]") {
    RoutingTrace t;
    t.tokens = 1, t.layers = 2, t.top_k = 2, t.experts = 4, t.source_begin = {0};
    Matrix<std::uint32_t> table(2, 4);
    for (std::size_t l = 0; l < 2; ++l) table(l, 2) = table(l, 3) = 1;
    const Placement p(table, 2);
    t.choices = {0, 1, 1, 2};
    CHECK(remote_destinations(t, p, Dispatch::classical) == Approx(0.75));
    CHECK(remote_destinations(t, p, Dispatch::coherent) == Approx(0.75));
    t.choices = {2, 3, 0, 1};
    CHECK(remote_destinations(t, p, Dispatch::classical) == Approx(0.5));
    CHECK(remote_destinations(t, p, Dispatch::coherent) == Approx(0.75));
}

TEST_CASE("the increase of a swap is what positions of tokens rise by", "[planner]") {
    for (const Dispatch d : {Dispatch::classical, Dispatch::coherent}) {
        const RoutingTrace t = random_trace(2, 60, 3, 3, 12);
        Matrix<std::uint32_t> place(3, 12);
        for (std::size_t l = 0; l < 3; ++l)
            for (std::size_t e = 0; e < 12; ++e) place(l, e) = static_cast<std::uint32_t>(e % 4);
        ConnectivityState state(t, d, place, 4);
        RandomStream random(stream_key(8, 8), 1);
        for (int i = 0; i < 300; ++i) {
            const std::size_t l = random.below(3), a = random.below(12), b = random.below(12);
            if (state.at(l, a) == state.at(l, b)) continue;
            const std::int64_t before = state.value(), rise = state.increase(l, a, b);
            state.swap(l, a, b);
            REQUIRE(state.value() - before == rise);
        }
        // From scratch it is the same; and the measure follows it. Of the coherent one it takes one position from each
        // token of a later layer, and of the first layer all but a quarter.
        CHECK(ConnectivityState(t, d, state.place(), 4).value() == state.value());
        const double all = static_cast<double>(t.tokens * t.layers);
        const double measure = remote_destinations(t, Placement(state.place(), 4), d) * all;
        if (d == Dispatch::classical) {
            CHECK(measure == Approx(0.75 * static_cast<double>(state.value())));
        } else {
            RoutingTrace first = t;
            first.layers = 1;
            first.choices.clear();
            for (std::size_t i = 0; i < t.tokens; ++i)
                first.choices.insert(first.choices.end(), t.at(i, 0).begin(), t.at(i, 0).end());
            Matrix<std::uint32_t> top(1, 12);
            std::copy(state.place().row(0).begin(), state.place().row(0).end(), top.row(0).begin());
            const auto in_first = static_cast<double>(ConnectivityState(first, d, top, 4).value());
            CHECK(measure ==
                  Approx(static_cast<double>(state.value()) - static_cast<double>(t.tokens) * 2 - in_first / 4));
        }
    }
}

TEST_CASE("a search for few destinations keeps its limits, and finds groups that are there", "[planner]") {
    // Experts 0..11; a token chooses three of {g, g + 4, g + 8}: groups of three, on four positions.
    RoutingTrace t;
    t.tokens = 200, t.layers = 2, t.top_k = 3, t.experts = 12, t.source_begin = {0};
    RandomStream random(stream_key(1, 1), 1);
    for (std::size_t i = 0; i < t.tokens * t.layers; ++i) {
        const std::uint32_t g = random.below(4);
        for (const std::uint32_t e : {g, g + 4, g + 8}) t.choices.push_back(static_cast<ExpertIndex>(e));
    }
    const PlannerProblem p = problem_of(t, 4);
    DestinationOptions options;
    options.load_limit = 2;
    const PlannerResult r = destinations_plan(p, options, {1, {}, 20'000});
    CHECK(r.value == Approx(0.75));
    CHECK(r.placement == destinations_plan(p, options, {1, {}, 20'000}).placement);

    const PlannerProblem q = problem_of(random_trace(5, 100, 3, 2, 10), 4);
    options.load_limit = 1.3;
    options.dispatch = Dispatch::coherent;
    const PlannerResult limited = destinations_plan(q, options, {1, {}, 20'000});
    CHECK(load_imbalance(q.workload.load, limited.placement) <= 1.3 + 1e-9);
    CHECK(limited.value <= remote_destinations(*q.workload.trace, contiguous_plan(q, {}).placement, options.dispatch));
    for (std::size_t l = 0; l < 3; ++l) {
        std::vector<std::size_t> held(4);
        for (std::size_t e = 0; e < 10; ++e) ++held[limited.placement.position(LayerId(l), e)];
        CHECK(*std::max_element(held.begin(), held.end()) <= 3);
    }
    PlannerProblem none = q;
    none.workload.trace.reset();
    CHECK_THROWS_AS(destinations_plan(none, options, {}), InputError);
}
