#include "planner/eplb.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "planner/load_measures.hpp"
#include "support/catch.hpp"

using namespace moesim;

namespace {

Matrix<double> rows(const std::vector<std::vector<double>>& values) {
    Matrix<double> m(values.size(), values[0].size());
    for (std::size_t r = 0; r < values.size(); ++r) std::copy(values[r].begin(), values[r].end(), m.row(r).begin());
    return m;
}

std::vector<std::int32_t> row(const Matrix<std::int32_t>& m, std::size_t r) {
    return {m.row(r).begin(), m.row(r).end()};
}

// The definition, step by step and slowly: what the fast one is held against.
struct Slow {
    using Ints = std::vector<std::size_t>;
    static void pack(const std::vector<float>& weight, std::size_t packs, Ints& pack, Ints& rank) {
        const std::size_t n = weight.size();
        pack.assign(n, 0), rank.assign(n, 0);
        if (n == packs) {
            std::iota(pack.begin(), pack.end(), std::size_t{0});
            return;
        }
        Ints order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return weight[a] > weight[b]; });
        std::vector<float> load(packs);
        Ints held(packs);
        for (const std::size_t item : order) {
            std::size_t best = packs;
            for (std::size_t p = 0; p < packs; ++p)
                if (held[p] < n / packs && (best == packs || load[p] < load[best])) best = p;
            pack[item] = best;
            rank[item] = held[best]++;
            load[best] += weight[item];
        }
    }
    // [physical] of one layer: expert and which copy of it.
    static std::vector<std::pair<std::size_t, std::size_t>> layer(const std::vector<float>& weight, EplbShape s) {
        if (s.groups % s.nodes != 0) s.groups = s.nodes = 1;
        const std::size_t size = weight.size() / s.groups;
        std::vector<float> group(s.groups);
        for (std::size_t e = 0; e < weight.size(); ++e) group[e / size] += weight[e];
        Ints node, slot;
        pack(group, s.nodes, node, slot);
        std::vector<std::pair<std::size_t, std::size_t>> result(s.replicas);
        for (std::size_t n = 0; n < s.nodes; ++n) {
            Ints expert;  // of this node, group after group in the order in which they were packed
            for (std::size_t k = 0; k < s.groups / s.nodes; ++k)
                for (std::size_t g = 0; g < s.groups; ++g)
                    for (std::size_t i = 0; i < size && node[g] == n && slot[g] == k; ++i)
                        expert.push_back(g * size + i);
            Ints count(expert.size(), 1), copy_of(expert.size()), copy(expert.size());
            std::iota(copy_of.begin(), copy_of.end(), std::size_t{0});
            const auto share = [&](std::size_t i) { return weight[expert[i]] / static_cast<float>(count[i]); };
            while (copy_of.size() < s.replicas / s.nodes) {
                std::size_t best = 0;
                for (std::size_t i = 1; i < expert.size(); ++i)
                    if (share(i) > share(best)) best = i;
                copy_of.push_back(best);
                copy.push_back(count[best]++);
            }
            std::vector<float> shares;
            for (const std::size_t i : copy_of) shares.push_back(share(i));
            Ints gpu, rank;
            pack(shares, s.gpus / s.nodes, gpu, rank);
            for (std::size_t i = 0; i < copy_of.size(); ++i)
                result[(n * (s.gpus / s.nodes) + gpu[i]) * (s.replicas / s.gpus) + rank[i]] = {expert[copy_of[i]],
                                                                                               copy[i]};
        }
        return result;
    }
};

}  // namespace

// Three experts of load 6, 3, 3 and four places on two GPUs. The spare place goes to expert 0 (6 > 3), whose copies
// have 3 each: all four physical experts (0, 1, 2, 0) weigh 3. Packed in that order: GPU 0, GPU 1 (0 < 3), GPU 0 (the
// first of two with 3), GPU 1. So GPU 0 holds 0 and 2, GPU 1 holds 1 and 0; both have 6.
TEST_CASE("EPLB by hand: one spare place", "[planner]") {
    const EplbMaps m = eplb(rows({{6, 3, 3}}), {4, 1, 1, 2});
    CHECK(row(m.phy2log, 0) == std::vector<std::int32_t>{0, 2, 1, 0});
    CHECK(row(m.logcnt, 0) == std::vector<std::int32_t>{2, 1, 1});
    CHECK(row(m.log2phy[0], 0) == std::vector<std::int32_t>{0, 3});
    CHECK(row(m.log2phy[0], 1) == std::vector<std::int32_t>{2, -1});
    const Placement p = placement_of(m, {0, 1});
    CHECK(p.replicas(LayerId(0), 0).size() == 2);
    CHECK(load_imbalance(rows({{6, 3, 3}}), p) == Approx(1));
}

// The example of EPLB's README: two layers of twelve experts in four groups, 16 physical experts, 2 nodes of 4 GPUs.
TEST_CASE("EPLB gives its README's maps", "[planner]") {
    const auto load = rows(
        {{90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86}, {20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27}});
    const EplbMaps m = eplb(load, {16, 4, 2, 8});
    CHECK(row(m.phy2log, 0) == std::vector<std::int32_t>{5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1});
    CHECK(row(m.phy2log, 1) == std::vector<std::int32_t>{7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1});
    CHECK(row(m.logcnt, 0) == std::vector<std::int32_t>{1, 2, 1, 1, 2, 2, 1, 1, 1, 1, 2, 1});
    CHECK(row(m.logcnt, 1) == std::vector<std::int32_t>{1, 2, 1, 1, 1, 2, 2, 1, 2, 1, 1, 1});
}

TEST_CASE("EPLB is its definition on random loads with many ties", "[planner]") {
    RandomStream random(stream_key(5, 1), 0);
    const std::vector<EplbShape> shapes = {{16, 4, 2, 8},  {16, 4, 4, 8},   {12, 12, 3, 6},  {16, 1, 1, 16},
                                           {24, 6, 4, 12}, {40, 3, 2, 8},   {12, 1, 1, 2},   {64, 2, 2, 4},
                                           {12, 4, 1, 12}, {96, 12, 4, 96}, {36, 12, 12, 36}};
    for (const EplbShape& s : shapes)
        for (const std::uint32_t range : {1U, 3U, 1000U, 1U << 24}) {
            Matrix<double> load(3, 12);
            for (std::size_t l = 0; l < 3; ++l)
                for (double& w : load.row(l)) w = random.below(range);
            const EplbMaps m = eplb(load, s);
            for (std::size_t l = 0; l < 3; ++l) {
                const std::vector<float> weight(load.row(l).begin(), load.row(l).end());
                const auto slow = Slow::layer(weight, s);
                Matrix<std::int32_t> count(1, 12);
                for (std::size_t i = 0; i < slow.size(); ++i) {
                    INFO(s.replicas << " on " << s.gpus << " GPUs, " << s.nodes << " nodes; layer " << l << ", " << i);
                    REQUIRE(m.phy2log(l, i) == static_cast<std::int32_t>(slow[i].first));
                    REQUIRE(m.log2phy[l](slow[i].first, slow[i].second) == static_cast<std::int32_t>(i));
                    ++count(0, slow[i].first);
                }
                CHECK(row(m.logcnt, l) == row(count, 0));
            }
        }
}

TEST_CASE("EPLB for a problem: nodes in any order, two copies on one GPU at times", "[planner]") {
    PlannerProblem problem;
    problem.workload.load = rows({{9, 1, 1, 1}});
    problem.positions.node = {0, 1, 0, 1};
    problem.slots = 2;
    const EplbPlan plan = eplb_plan(problem, 2);
    // Groups {0, 1} and {2, 3}; node 0, positions 0 and 2, gets the first: experts 0, 1 and two more copies of 0.
    CHECK(plan.maps.logcnt(0, 0) == 3);
    const auto copies = plan.result.placement.replicas(LayerId(0), 0);
    CHECK(std::all_of(copies.begin(), copies.end(), [](auto p) { return p % 2 == 0; }));
    CHECK(copies[0] == copies[1]);
    CHECK(plan.result.value == Approx(load_imbalance(problem.workload.load, plan.result.placement)));
}

TEST_CASE("EPLB refuses counts that do not divide, and loads that are none", "[planner]") {
    CHECK_THROWS_AS(eplb(rows({{1, 2, 3}}), {4, 2, 1, 2}), InputError);
    CHECK_THROWS_AS(eplb(rows({{1, 2, 3}}), {4, 1, 1, 3}), InputError);
    CHECK_THROWS_AS(eplb(rows({{1, 2, 3}}), {2, 1, 1, 2}), InputError);
    CHECK_THROWS_AS(eplb(rows({{1, 2, 3}}), {4, 1, 1, 0}), InputError);
    CHECK_THROWS_AS(eplb(rows({{1, -2, 3}}), {4, 1, 1, 2}), InputError);
    PlannerProblem problem;
    problem.workload.load = rows({{1, 1, 1, 1}});
    problem.positions.node = {0, 0, 0, 1};
    CHECK_THROWS_AS(eplb_plan(problem, 2), InputError);
    CHECK_NOTHROW(eplb_plan(problem, 1));
}
