// Tokens among copies of their experts: turns and traffic worked out by hand.
#include <map>

#include "base/random.hpp"
#include "support/catch.hpp"
#include "support/placements.hpp"
#include "support/random_scenario.hpp"
#include "support/scenarios.hpp"
#include "traffic/exchange.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

struct Cluster {
    Fabric fabric;
    RankGrid grid;
    Cluster(std::int64_t nodes, std::int64_t gpus, ParallelismSpec p)
        : fabric(build_fabric(small_tree(nodes, gpus))), grid(p) {}

    // The positions of the first copies that a data index's tokens go to.
    [[nodiscard]] std::vector<std::size_t> turns(const Placement& placement, ReplicaPolicy policy, std::size_t data,
                                                 ExpertIndex expert, std::size_t count) const {
        CopyChooser chooser(placement, LayerId(0), policy, grid, fabric);
        std::vector<std::size_t> all;
        for (std::size_t i = 0; i < count; ++i) all.push_back(chooser.copies().position(chooser.choose(data, expert)));
        return all;
    }
};

using Turns = std::vector<std::size_t>;

}  // namespace

TEST_CASE("copies of a layer are one list, several at a position one entry", "[replicas]") {
    const LayerCopies copies(Placement({{{3, 0}, {1}, {2, 3, 3}}}, 4), LayerId(0));
    REQUIRE(copies.size() == 5);
    CHECK(copies.replicated());
    CHECK(copies.first(1) == 2);
    CHECK(copies.first(3) == 5);
    CHECK(copies.position(1) == 3);
    CHECK(copies.expert(4) == 2);
    CHECK(copies.weight(3) == 1);
    CHECK(copies.weight(4) == 2);
    // An expert twice at its only position has one place to go to.
    CHECK_FALSE(LayerCopies(Placement({{{1, 1}, {0}}}, 2), LayerId(0)).replicated());
}

TEST_CASE("locality: the own GPU, then the own node, then all copies in turn", "[replicas]") {
    // Three nodes of two GPUs, an expert on GPUs 2 and 4: sources 2 and 4 stay, 3 and 5 go to the neighbour. Of the two
    // without a copy in their node the first starts at GPU 2, the second at GPU 4.
    const Cluster c(3, 2, {6, 6, 1});
    const Placement p({{{4, 2}}}, 6);
    const auto turns = [&](std::size_t data) { return c.turns(p, ReplicaPolicy::locality, data, 0, 3); };
    CHECK(turns(0) == Turns{2, 4, 2});
    CHECK(turns(1) == Turns{4, 2, 4});
    CHECK(turns(2) == Turns{2, 2, 2});
    CHECK(turns(3) == Turns{2, 2, 2});
    CHECK(turns(4) == Turns{4, 4, 4});
    CHECK(turns(5) == Turns{4, 4, 4});
}

TEST_CASE("locality: copies of one node are taken in turn, too", "[replicas]") {
    // One node of four GPUs, copies on GPUs 1 and 3: GPU 0 starts at the first, GPU 2 at the second.
    const Cluster c(1, 4, {4, 4, 1});
    const Placement p({{{1, 3}}}, 4);
    CHECK(c.turns(p, ReplicaPolicy::locality, 0, 0, 3) == Turns{1, 3, 1});
    CHECK(c.turns(p, ReplicaPolicy::locality, 2, 0, 3) == Turns{3, 1, 3});
}

TEST_CASE("round robin: all copies in turn, two at a position twice", "[replicas]") {
    // Copies on GPU 1 and, two of them, GPU 3: the turns are 1, 3, 3, and the sources start one place apart.
    const Cluster c(2, 2, {4, 4, 1});
    const Placement p({{{3, 1, 3}}}, 4);
    const auto turns = [&](std::size_t data) { return c.turns(p, ReplicaPolicy::round_robin, data, 0, 4); };
    CHECK(turns(0) == Turns{1, 3, 3, 1});
    CHECK(turns(1) == Turns{3, 3, 1, 3});
    CHECK(turns(2) == Turns{3, 1, 3, 3});
    CHECK(turns(3) == Turns{1, 3, 3, 1});
}

TEST_CASE("expert groups take turns among their own copies", "[replicas]") {
    // Two groups of two on two nodes: data index 3 is position 1 of the second group.
    const Cluster c(2, 2, {4, 2, 1});
    const Placement p({{{0, 1}, {0}}}, 2);
    CHECK(c.turns(p, ReplicaPolicy::locality, 3, 0, 2) == Turns{1, 1});
    CHECK(c.turns(p, ReplicaPolicy::round_robin, 2, 0, 2) == Turns{0, 1});
    CHECK(c.turns(p, ReplicaPolicy::round_robin, 3, 0, 2) == Turns{1, 0});
    CHECK(c.turns(p, ReplicaPolicy::locality, 3, 1, 1) == Turns{0});
}

TEST_CASE("rows go to the copies, and are deduplicated there", "[replicas]") {
    // Two nodes of two GPUs; expert 0 on GPUs 2 and 3, expert 1 on GPU 3. Four tokens of GPU 0, all of experts 0 and 1:
    // expert 0's go to GPU 2, 3, 2, 3. GPU 3 gets all four tokens, the second and fourth for both experts.
    const Cluster c(2, 2, {4, 4, 1});
    const Placement p({{{2, 3}, {3}}}, 4);
    const std::vector<ExpertIndex> choices = {0, 1, 0, 1, 0, 1, 0, 1};
    const SourceChoices source{0, choices, 2};
    const auto count = [&](Dedup dedup) {
        return count_exchange({&source, 1}, LayerId(0), dedup, p, c.grid, c.fabric);
    };
    const Exchange by_rank = count(Dedup::rank);
    CHECK(by_rank.assignments(2, 0) == 2);
    CHECK(by_rank.assignments(3, 0) == 2);
    CHECK(by_rank.assignments(3, 1) == 4);
    CHECK(by_rank.computed_rows(0) == 0);
    CHECK(by_rank.received_rows == std::vector<std::int64_t>{0, 0, 2, 4});
    CHECK(by_rank.sent_rows[0] == 6);
    CHECK(count(Dedup::none).received_rows == std::vector<std::int64_t>{0, 0, 2, 6});
    // To node 1 once each, over GPU 2, which forwards all four to GPU 3.
    const Exchange by_node = count(Dedup::node);
    REQUIRE(by_node.hops.size() == 2);
    CHECK(by_node.hops[0].rows == 4);
    CHECK(by_node.hops[1].rows == 4);
}

TEST_CASE("every choice is computed once, where a copy is, whatever the chunks", "[replicas]") {
    for (std::uint64_t i = 0; i < 200; ++i) {
        INFO("random_scenario(" << i << ")");
        const Scenario s = random_scenario(i);
        const Fabric fabric = build_fabric(s.topology);
        const RankGrid grid(s.parallelism);
        const auto experts = static_cast<std::size_t>(s.model.experts);
        const Placement placement = random_placement(i, 1, experts, grid.expert());
        const ReplicaPolicy policy = i % 2 == 0 ? ReplicaPolicy::locality : ReplicaPolicy::round_robin;
        const Dedup dedup = s.dispatch.dedup;
        RandomStream random(stream_key(24, 1), i);
        std::vector<std::vector<ExpertIndex>> choices(grid.data());
        std::vector<SourceChoices> all, first, rest;
        std::vector<std::int64_t> chosen(experts);
        for (std::size_t d = 0; d < grid.data(); ++d) {
            for (std::size_t n = 2 * random.below(30); n > 0; --n) {
                const auto e = static_cast<ExpertIndex>(random.below(static_cast<std::uint32_t>(experts)));
                choices[d].push_back(random.below(8) == 0 ? no_expert : e);
                if (choices[d].back() != no_expert) ++chosen[e];
            }
            const std::size_t half = choices[d].size() / 4 * 2;
            const std::span<const ExpertIndex> row = choices[d];
            all.push_back({d, row, 2});
            first.push_back({d, row.first(half), 2});
            rest.push_back({d, row.subspan(half), 2});
        }
        const Exchange whole = count_exchange(all, LayerId(0), dedup, placement, grid, fabric, policy);
        CopyChooser chooser(placement, LayerId(0), policy, grid, fabric);
        const Exchange a = count_exchange(first, chooser, dedup, grid, fabric);
        const Exchange b = count_exchange(rest, chooser, dedup, grid, fabric);
        for (std::size_t e = 0; e < experts; ++e) {
            const auto copies = placement.replicas(LayerId(0), e);
            std::int64_t computed = 0;
            for (std::size_t r = 0; r < grid.ranks(); ++r) {
                computed += whole.assignments(r, e);
                CHECK(whole.assignments(r, e) == a.assignments(r, e) + b.assignments(r, e));
                const auto position = static_cast<std::uint32_t>(grid.data_of(RankId(r)) % grid.expert());
                const bool held = std::find(copies.begin(), copies.end(), position) != copies.end();
                CHECK((held || whole.assignments(r, e) == 0));
            }
            CHECK(computed == chosen[e] * static_cast<std::int64_t>(grid.tensor()));
        }
        for (std::size_t r = 0; r < grid.ranks(); ++r) {
            CHECK(whole.received_rows[r] == a.received_rows[r] + b.received_rows[r]);
            CHECK(whole.sent_rows[r] == a.sent_rows[r] + b.sent_rows[r]);
        }
    }
}

TEST_CASE("copies of a list get tokens by their weights, to within one a source", "[replicas]") {
    for (std::uint64_t i = 0; i < 50; ++i) {
        INFO("random_placement(" << i << ")");
        const Cluster c(4, 2, {8, 8, 1});
        const Placement placement = random_placement(i, 1, 5, 8);
        CopyChooser chooser(placement, LayerId(0), ReplicaPolicy::round_robin, c.grid, c.fabric);
        const LayerCopies& copies = chooser.copies();
        for (ExpertIndex e = 0; e < 5; ++e) {
            std::map<CopyIndex, double> share;
            double weights = 0;
            for (CopyIndex copy = copies.first(e); copy < copies.first(e + 1U); ++copy)
                weights += static_cast<double>(copies.weight(copy));
            for (int t = 0; t < 17; ++t) ++share[chooser.choose(i % 8, e)];
            for (const auto& [copy, tokens] : share)
                CHECK(std::abs(tokens - 17 * static_cast<double>(copies.weight(copy)) / weights) <
                      static_cast<double>(copies.weight(copy)) + 1e-9);
        }
    }
}
