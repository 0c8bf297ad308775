#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "planner/assignment.hpp"
#include "planner/cluster_labels.hpp"
#include "planner/partition_program.hpp"
#include "support/affinity.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

Positions positions_of(std::size_t nodes, std::size_t each) {
    Positions p;
    for (std::size_t i = 0; i < nodes * each; ++i) p.node.push_back(static_cast<std::uint32_t>(i / each));
    return p;
}

bool anything(std::size_t, const std::vector<std::uint32_t>&) { return true; }

double imbalance(const Matrix<double>& load, std::size_t layer, const std::vector<std::uint32_t>& place,
                 std::size_t positions) {
    std::vector<double> at(positions);
    for (std::size_t e = 0; e < place.size(); ++e) at[place[e]] += load(layer, e);
    return *std::max_element(at.begin(), at.end()) / std::accumulate(at.begin(), at.end(), 0.0) *
           static_cast<double>(positions);
}

}  // namespace

// Costs 4 1 3 / 2 0 5 / 3 2 2: rows to columns 1, 0, 2 cost 1 + 2 + 2 = 5, the least of six ways.
TEST_CASE("assignment, by hand and by trying", "[planner]") {
    Matrix<double> cost(3, 3);
    std::size_t i = 0;
    for (const double c : {4, 1, 3, 2, 0, 5, 3, 2, 2}) cost(i / 3, i % 3) = c, ++i;
    Assignment assignment;
    std::vector<std::uint32_t> column;
    CHECK(assignment.solve(cost, column) == 5);
    CHECK(column == std::vector<std::uint32_t>{1, 0, 2});
    RandomStream random(stream_key(3, 3), 0);
    for (std::uint32_t n = 1; n <= 6; ++n)
        for (int trial = 0; trial < 60; ++trial) {
            Matrix<double> m(n, n);
            for (std::uint32_t r = 0; r < n; ++r)
                for (double& c : m.row(r)) c = static_cast<double>(random.below(trial % 2 == 0 ? 4 : 1000)) - 2;
            std::vector<std::uint32_t> order(n);
            std::iota(order.begin(), order.end(), 0U);
            double least = std::numeric_limits<double>::infinity();
            do {
                double sum = 0;
                for (std::uint32_t r = 0; r < n; ++r) sum += m(r, order[r]);
                least = std::min(least, sum);
            } while (std::next_permutation(order.begin(), order.end()));
            CHECK(assignment.solve(m, column) == Approx(least).margin(1e-9));
            std::sort(column.begin(), column.end());
            std::iota(order.begin(), order.end(), 0U);
            CHECK(column == order);
        }
}

// Two layers of four experts on two positions. Ten tokens each go from 0 to 2 and from 1 to 3; one each from 2 to 0, 3
// to 1, 0 to 0 and 1 to 0. With 0 and 1 apart, one of the last two crosses: {0, 2} to {2, 0} and {1, 3} to {3, 1}. With
// 0 and 1 together, both do. So it is 1 of 24.
TEST_CASE("least crossing, by hand", "[planner]") {
    std::vector<Matrix<double>> flow(1, Matrix<double>(4, 4));
    flow[0](0, 2) = flow[0](1, 3) = 10;
    flow[0](2, 0) = flow[0](3, 1) = flow[0](0, 0) = flow[0](1, 0) = 1;
    const auto cost = crossing_costs(positions_of(1, 2), {});
    const auto place = least_crossing(flow, {4, 1, 2}, {}, {});
    CHECK(crossing_share(flow, place, cost) == Approx(1.0 / 24));
    CHECK(place(0, 0) != place(0, 1));
    // Loads 4, 1, 4, 1 of the first layer forbid 0 with 2 (8, and 1.2 times the mean of 5 is 6), 4, 4, 1, 1 of the
    // second one 0 with 1; {0, 3} to {2, 1}, {1, 2} to {3, 0} still loses one token only.
    Matrix<double> load(2, 4, 1);
    load(0, 0) = load(0, 2) = load(1, 0) = load(1, 1) = 4;
    const auto even = least_crossing(flow, {4, 1, 2}, {}, GroupLimit{load, 1.2});
    CHECK(crossing_share(flow, even, cost) == Approx(1.0 / 24));
    CHECK(even(0, 0) == even(0, 3));
    CHECK(even(1, 0) == even(1, 3));
    CHECK_THROWS_AS(least_crossing(flow, {4, 1, 2}, {}, GroupLimit{load, 0.9}), InputError);
    CHECK_THROWS_AS(least_crossing(flow, {4, 1, 3}, {}, {}), InputError);
    CHECK_THROWS_AS(least_crossing(random_flow(1, 2, 64), {64, 1, 8}, {}, {}), InputError);
}

TEST_CASE("least crossing is what trying everything finds", "[planner]") {
    struct Case {
        std::size_t layers, experts, nodes, each;
        double node;
    };
    for (const Case& c : {Case{4, 4, 1, 2, 1}, Case{3, 6, 1, 3, 1}, Case{3, 6, 1, 2, 1}, Case{3, 5, 1, 5, 1},
                          Case{3, 4, 2, 2, 1}, Case{3, 4, 2, 2, 3}, Case{4, 4, 2, 1, 3}, Case{3, 6, 3, 1, 2},
                          Case{2, 6, 2, 3, 4}, Case{2, 6, 3, 2, 2.5}, Case{3, 8, 2, 1, 2}})
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            INFO(c.layers << " layers of " << c.experts << " on " << c.nodes << " x " << c.each << ", seed " << seed);
            const auto flow = random_flow(seed, c.layers, c.experts);
            const CrossingCost price{1, c.node};
            const auto cost = crossing_costs(positions_of(c.nodes, c.each), price);
            const PartitionSize size{c.experts, c.nodes, c.each};
            const auto place = least_crossing(flow, size, price, {});
            CHECK(crossing_share(flow, place, cost) == Approx(least_share_by_trying(flow, cost, anything)));
            const auto load = random_load(seed, c.layers, c.experts);
            const auto may = [&](std::size_t l, const std::vector<std::uint32_t>& p) {
                return imbalance(load, l, p, cost.rows()) <= 1.5;
            };
            const double least = least_share_by_trying(flow, cost, may);
            if (least > 1e9) {
                CHECK_THROWS_AS(least_crossing(flow, size, price, GroupLimit{load, 1.5}), InputError);
                continue;
            }
            const auto limited = least_crossing(flow, size, price, GroupLimit{load, 1.5});
            CHECK(crossing_share(flow, limited, cost) == Approx(least));
            for (std::size_t l = 0; l < c.layers; ++l) CHECK(may(l, {limited.row(l).begin(), limited.row(l).end()}));
        }
}

TEST_CASE("labels of fixed clusters are the best ones", "[planner]") {
    for (const CrossingCost& price : {CrossingCost{1, 1}, CrossingCost{1, 3}})
        for (std::uint64_t seed = 0; seed < 8; ++seed) {
            // Eight experts in four clusters, which differ from layer to layer.
            const auto flow = random_flow(seed, 3, 8);
            Matrix<std::uint32_t> clusters(3, 8);
            for (std::size_t l = 0; l < 3; ++l)
                for (std::size_t e = 0; e < 8; ++e)
                    clusters(l, e) = static_cast<std::uint32_t>((e * (2 * l + 1) + seed) / 2 % 4);
            const auto cost = crossing_costs(positions_of(2, 2), price);
            const auto labelled = label_clusters(flow, clusters, 2, 2, price);
            double least = std::numeric_limits<double>::infinity();
            const auto labels = even_layers(4, 4);
            for (const auto& a : labels)
                for (const auto& b : labels)
                    for (const auto& c : labels) {
                        Matrix<std::uint32_t> place = clusters;
                        const std::vector<std::uint32_t>* by_layer[] = {&a, &b, &c};
                        for (std::size_t l = 0; l < 3; ++l)
                            for (std::uint32_t& p : place.row(l)) p = (*by_layer[l])[p];
                        least = std::min(least, crossing_share(flow, place, cost));
                    }
            CHECK(crossing_share(flow, labelled, cost) == Approx(least));
            for (std::size_t l = 0; l < 3; ++l)
                for (std::size_t e = 0; e < 8; ++e)
                    for (std::size_t f = 0; f < 8; ++f)
                        CHECK((labelled(l, e) == labelled(l, f)) == (clusters(l, e) == clusters(l, f)));
        }
}
