#include "planner/crossing_bound.hpp"

#include <algorithm>

#include "support/affinity.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::test;

// Each expert of three sends 5 to its like, 3 and 1 to the two others, in a circle. With one expert a position 15 of 27
// can stay; with two, 24.
TEST_CASE("the transport bound, by hand", "[planner]") {
    Matrix<double> flow(3, 3);
    for (std::size_t e = 0; e < 3; ++e) flow(e, e) = 5, flow(e, (e + 1) % 3) = 3, flow(e, (e + 2) % 3) = 1;
    CHECK(transport_bound(flow, 1) == Approx(15));
    CHECK(transport_bound(flow, 2) == Approx(24));
    CHECK(transport_bound(flow, 3) == Approx(27));
    CHECK(crossing_bound({flow}, 1, 3, {}) == Approx(12.0 / 27));
    // On one node all is on it: 1 for each that leaves its position.
    CHECK(crossing_bound({flow}, 1, 3, {1, 5}) == Approx(12.0 / 27));
    CHECK(crossing_bound({flow}, 1, 1, {1, 5}) == Approx(5 * 12.0 / 27));
}

TEST_CASE("the crossing bound is below every placement", "[planner]") {
    struct Case {
        std::size_t layers, experts, nodes, each;
        CrossingCost cost;
    };
    const auto anything = [](std::size_t, const std::vector<std::uint32_t>&) { return true; };
    double nearest = 0;
    for (const Case& c : {Case{3, 4, 1, 2, {}}, Case{3, 6, 1, 3, {}}, Case{2, 6, 1, 2, {}}, Case{3, 4, 2, 2, {1, 3}},
                          Case{2, 6, 3, 2, {1, 4}}, Case{3, 4, 4, 1, {1, 2}}, Case{3, 4, 2, 2, {2, 1}}})
        for (std::uint64_t seed = 0; seed < 8; ++seed) {
            Positions positions;
            for (std::size_t i = 0; i < c.nodes * c.each; ++i)
                positions.node.push_back(static_cast<std::uint32_t>(i / c.each));
            const auto flow = random_flow(seed, c.layers, c.experts);
            const double least = least_share_by_trying(flow, crossing_costs(positions, c.cost), anything);
            const double bound = crossing_bound(flow, c.experts / positions.count(), c.each, c.cost);
            INFO(c.layers << " layers of " << c.experts << " on " << c.nodes << " x " << c.each << ", seed " << seed);
            CHECK(bound <= least + 1e-12);
            nearest = std::max(nearest, bound / least);
        }
    CHECK(nearest > 0.8);  // it is not trivial
}
