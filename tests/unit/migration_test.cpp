// Going from one placement to another, by hand: what is copied from where, how long it takes, which names of positions
// save copies, and when it is worth it.
#include <algorithm>

#include "base/error.hpp"
#include "network/transfer_time.hpp"
#include "planner/replan.hpp"
#include "support/catch.hpp"
#include "support/layer_time_cases.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// [layer][expert]: its positions.
using Replicas = std::vector<std::vector<std::vector<std::uint32_t>>>;

Placement placed(const Replicas& replicas, std::size_t positions) { return {replicas, positions}; }

// One copy of each expert of one layer.
Placement one_layer(const std::vector<std::uint32_t>& position, std::size_t positions) {
    Replicas r(1);
    for (const std::uint32_t p : position) r[0].push_back({p});
    return placed(r, positions);
}

// Nodes of two, 1 ns a byte inside and 10 ns between.
Positions pairs(std::size_t nodes) {
    Positions p;
    for (std::size_t n = 0; n < nodes; ++n) p.node.insert(p.node.end(), 2, static_cast<std::uint32_t>(n));
    p.seconds_per_byte = Matrix<double>(2 * nodes, 2 * nodes);
    for (std::size_t a = 0; a < 2 * nodes; ++a)
        for (std::size_t b = 0; b < 2 * nodes; ++b)
            if (a != b) p.seconds_per_byte(a, b) = a / 2 == b / 2 ? 1e-9 : 1e-8;
    return p;
}

std::size_t copies(const Placement& before, const Placement& after, const Positions& positions) {
    return expert_copies(before, after, positions.node).size();
}

Transfer transfer(std::size_t from, std::size_t to, std::int64_t bytes) {
    return {RankId(from), RankId(to), Bytes(bytes)};
}

}  // namespace

// GPUs with 1 GB/s each way. 0 -> 1 and 0 -> 2 share what leaves 0: 1000 bytes each end after 2 us. With 1000 and 3000
// bytes the first ends at 2 us, when the other one has 2000 left, which take 2 us more. 1 -> 0 is in nobody's way.
TEST_CASE("transfers share links", "[migration]") {
    const Fabric fabric = build_fabric(one_switch(4));
    const MessageModel messages(fabric, ideal_profile());
    const auto time = [&](const std::vector<Transfer>& t) { return transfer_time(fabric, messages, t, 0).value(); };
    CHECK(time({}) == 0);
    CHECK(time({transfer(0, 1, 1000), transfer(0, 2, 1000)}) == is(2e-6));
    CHECK(time({transfer(0, 1, 1000), transfer(0, 2, 3000)}) == is(4e-6));
    CHECK(time({transfer(0, 1, 1000), transfer(0, 2, 3000), transfer(1, 0, 3500)}) == is(4e-6));
    CHECK(time({transfer(0, 0, 1000), transfer(0, 1, 0)}) == 0);
}

// Links of 1 us each: a route of two takes 2 us before its first byte. Over 0.1 GB/s NICs half a kB takes 5 us more,
// and over NVLink 0.5 us.
TEST_CASE("transfers start up before they share", "[migration]") {
    TopologySpec t = small_tree(2, 2);
    t.nvlink.latency = t.nic.latency = Seconds(1e-6);
    t.nodes_per_leaf = 2;
    const Fabric fabric = build_fabric(t);
    const MessageModel messages(fabric, ideal_profile());
    CHECK(transfer_time(fabric, messages, std::vector{transfer(0, 1, 500)}, 0).value() == is(2.5e-6));
    CHECK(transfer_time(fabric, messages, std::vector{transfer(0, 1, 500), transfer(1, 2, 500)}, 0).value() ==
          is(7e-6));
}

// An expert of 64 x 64, gated, bf16: 3 x 64 x 64 x 2 = 24,576 bytes, 24.576 us at 1 GB/s.
//   0 and 1 change places: one copy each way, at the same time.
//   0 on all four GPUs: three copies leave GPU 0 together.
TEST_CASE("a migration's bytes and time on four GPUs", "[migration]") {
    const Scenario s = tiny(4, 16);
    const Fabric fabric = build_fabric(s.topology);
    const Placement before = one_layer({0, 1, 2, 3}, 4);
    const Migration swap = migration(before, one_layer({1, 0, 2, 3}, 4), s, fabric);
    CHECK(swap.copies == 2);
    CHECK(swap.bytes == Bytes(2 * 24'576));
    CHECK(swap.time.value() == is(24.576e-6));
    const Migration everywhere = migration(before, placed({{{0, 1, 2, 3}, {1}, {2}, {3}}}, 4), s, fabric);
    CHECK(everywhere.copies == 3);
    CHECK(everywhere.time.value() == is(3 * 24.576e-6));
    const Migration none = migration(before, before, s, fabric);
    CHECK(none.copies == 0);
    CHECK(none.time.value() == 0);
}

// Two groups of two data indices of two tensor ranks each, all on one switch: an expert is two parts of 12,288 bytes,
// and each part goes between ranks of its own, in both groups at the same time.
TEST_CASE("groups and tensor-parallel parts migrate side by side", "[migration]") {
    Scenario s = tiny(8, 16);
    s.model.experts = 2;
    s.parallelism = {4, 2, 2};
    const Migration m = migration(one_layer({0, 1}, 2), one_layer({1, 1}, 2), s, build_fabric(s.topology));
    CHECK(m.copies == 2);
    CHECK(m.bytes == Bytes(2 * 24'576));
    CHECK(m.time.value() == is(12.288e-6));
}

// Two nodes of two. Experts 0 and 1 are at positions 0 and 2; each gets copies at 1 and 3, from its own node. Expert 2
// is at 0 and 1, and comes to 3: neither is of the node; 1 has sent nothing yet. A second copy at one position is made
// there.
TEST_CASE("copies come from the node, and from those that send least", "[migration]") {
    const std::vector<std::uint32_t> node = {0, 0, 1, 1};
    const Placement before = placed({{{0, 2}, {0, 2}, {0, 1}}}, 4);
    const Placement after = placed({{{1, 3}, {1, 3}, {3, 3}}}, 4);
    const std::vector<ExpertCopy> expected = {{LayerId(0), 0, 0, 1},
                                              {LayerId(0), 0, 2, 3},
                                              {LayerId(0), 1, 0, 1},
                                              {LayerId(0), 1, 2, 3},
                                              {LayerId(0), 2, 1, 3}};
    CHECK(expert_copies(before, after, node) == expected);
    CHECK(expert_copies(before, before, node).empty());
    CHECK(expert_copies(before, placed({{{0}, {2}, {1, 1}}}, 4), node).empty());
    CHECK_THROWS_AS(expert_copies(before, one_layer({0, 1}, 4), node), InternalError);
}

// Nodes change places, and so do the positions of one of them: all names.
TEST_CASE("a permutation of alike positions is no migration", "[migration]") {
    const std::vector<double> speed(4, 1.0);
    const AlikePositions alike(pairs(2), speed);
    const Placement held = one_layer({0, 1, 2, 3}, 4);
    CHECK(relabelled(one_layer({2, 3, 1, 0}, 4), held, alike, true) == held);
    // Experts 1 and 2 are on each other's node: no names bring them back, but 0 and 3 need not move.
    CHECK(copies(held, relabelled(one_layer({2, 1, 3, 0}, 4), held, alike, true), alike.positions()) == 2);
    CHECK(copies(held, one_layer({2, 1, 3, 0}, 4), alike.positions()) == 3);
}

TEST_CASE("positions that are not alike keep their names", "[migration]") {
    const Placement held = one_layer({0, 1, 2, 3}, 4), swapped = one_layer({1, 0, 3, 2}, 4);
    // Position 1 is slower than 0.
    CHECK(relabelled(swapped, held, AlikePositions(pairs(2), std::vector{1.0, 0.5, 1.0, 1.0}), true) ==
          one_layer({1, 0, 2, 3}, 4));
    // Position 3 is farther from position 0.
    Positions uneven = pairs(2);
    uneven.seconds_per_byte(0, 3) = 2e-8;
    CHECK(relabelled(swapped, held, AlikePositions(uneven, std::vector(4, 1.0)), true) == swapped);
    // And the nodes are not alike then either.
    CHECK(relabelled(one_layer({2, 3, 0, 1}, 4), held, AlikePositions(uneven, std::vector(4, 1.0)), true) ==
          one_layer({2, 3, 0, 1}, 4));
}

TEST_CASE("layers are relabelled apart or together", "[migration]") {
    const AlikePositions alike(pairs(1), std::vector(2, 1.0));
    const Placement held = placed({{{0}, {1}}, {{0}, {1}}}, 2), plan = placed({{{0}, {1}}, {{1}, {0}}}, 2);
    CHECK(relabelled(plan, held, alike, true) == held);
    CHECK(copies(held, relabelled(plan, held, alike, false), alike.positions()) == 2);
    // Apart, position 0 would have two experts of each layer, where none has more than three of both. Together, no
    // names are better than those of the plan.
    const Placement three = placed({{{0}, {0}, {1}}, {{1}, {1}, {0}}}, 2);
    const Placement other = placed({{{0}, {0}, {1}}, {{1}, {0}, {1}}}, 2);
    CHECK(relabelled(other, three, alike, true) == other);
    // Where position 0 has had four, it may.
    const Placement four = placed({{{0}, {0}, {1}}, {{0}, {1}, {0}}}, 2);
    CHECK(relabelled(other, four, alike, true) == four);
}

// 4 steps that save 3 us each are worth 12 us: just not more than 1.5 times 8 us.
TEST_CASE("a placement is taken where it saves more than its migration costs", "[migration]") {
    const ReplanRule rule{4, 0.5};
    CHECK_FALSE(rule.takes(Seconds(3e-6), Seconds(8e-6)));
    CHECK(rule.takes(Seconds(3.001e-6), Seconds(8e-6)));
    CHECK_FALSE(ReplanRule{4, 0}.takes(Seconds(2e-6), Seconds(8e-6)));
    CHECK(ReplanRule{4, 0}.takes(Seconds(2.001e-6), Seconds(8e-6)));
    CHECK(ReplanRule{4, std::nullopt}.takes(Seconds(-1e-6), Seconds(8e-6)));
}

// Two GPUs at 1 GB/s; 8 tokens of 128 bytes, 4 a GPU, that go to experts 0 and 1 in turn.
//   held: both on GPU 0. 4 rows leave GPU 1: 0.512 us, and as much back. GPU 0 computes 4 rows of either, 99.84 ns each
//         (as in the tests of layer times): 1.22368 us.
//   plan: one on each. 2 rows leave each GPU: 0.256 us, and as much back; 99.84 ns: 0.61184 us.
// It saves 0.61184 us a step. One expert goes each way: 24.576 us, 40.2 times that, and half as much again 60.3 times.
TEST_CASE("how many steps make a migration worth it", "[migration]") {
    Scenario s = tiny(2, 8);
    s.model.experts = 4;
    const Fabric fabric = build_fabric(s.topology);
    PlannerProblem p = problem_of(s, fabric, {0, 1, 0, 1, 0, 1, 0, 1}, 2);
    p.positions = pairs(1);
    const LayerTimeModel model(p.workload, s, fabric);
    const AlikePositions alike(p.positions, model.speeds());
    const Placement held = one_layer({0, 0, 1, 1}, 2), plan = one_layer({0, 1, 0, 1}, 2);
    const auto taken = [&](std::int64_t steps, std::optional<double> hysteresis) {
        const Replan r = replan(held, plan, model, alike, s, {steps, hysteresis});
        CHECK(r.saving.value() == is(0.61184e-6));
        CHECK(r.migration.time.value() == is(24.576e-6));
        CHECK(r.migration.copies == 2);
        return r.taken;
    };
    CHECK_FALSE(taken(40, 0));
    CHECK(taken(41, 0));
    CHECK_FALSE(taken(60, 0.5));
    CHECK(taken(61, 0.5));
    CHECK(taken(1, std::nullopt));
    // Other names for the same: nothing is saved, moved or taken.
    const Replan same = replan(held, one_layer({1, 1, 0, 0}, 2), model, alike, s, {1, std::nullopt});
    CHECK(same.placement == held);
    CHECK(same.migration.copies == 0);
    CHECK_FALSE(same.taken);
}
