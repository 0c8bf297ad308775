// Exchanges counted by hand.
#include <algorithm>
#include <array>

#include "support/catch.hpp"
#include "support/scenarios.hpp"
#include "traffic/exchange.hpp"
#include "traffic/messages.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

struct Case {  // NOLINT(cppcoreguidelines-pro-type-member-init): an aggregate, never made empty
    Fabric fabric;
    RankGrid grid;
    Placement placement;
};

// Eight experts, two on each of four GPUs, two GPUs a node.
Case two_nodes(std::int64_t tensor = 1) {
    Scenario s;
    s.topology = small_tree(2, 2 * tensor);
    s.model.moe_layers = 1;
    s.model.experts = 8;
    s.parallelism = {4, 4, tensor};
    return {build_fabric(s.topology), RankGrid(s.parallelism),
            make_placement(PlacementMethod::contiguous, s.model, s.parallelism)};
}

std::vector<std::array<std::int64_t, 3>> rows_of(const Exchange& x) {
    std::vector<std::array<std::int64_t, 3>> all;
    for (const Hop& h : x.hops)
        all.push_back({static_cast<std::int64_t>(h.from.value()), static_cast<std::int64_t>(h.to.value()), h.rows});
    std::sort(all.begin(), all.end());
    return all;
}

using Rows = std::vector<std::array<std::int64_t, 3>>;

// Top-3 of tokens on GPU 0. Experts 0,1 on GPU 0; 2,3 on GPU 1; 4,5 on GPU 2; 6,7 on GPU 3 (node 1: GPUs 2 and 3).
const std::vector<ExpertIndex> choices = {
    4, 5, 6,          // GPU 2 twice, GPU 3 once
    0, 2, 7,          // stays, GPU 1, GPU 3
    6, 7, no_expert,  // GPU 3 twice, one dropped
};

Exchange count(const Case& c, Dedup dedup) {
    const SourceChoices source{0, choices, 3};
    return count_exchange({&source, 1}, LayerId(0), dedup, c.placement, c.grid, c.fabric);
}

}  // namespace

TEST_CASE("without deduplication a row travels for every expert") {
    const Exchange x = count(two_nodes(), Dedup::none);
    CHECK(rows_of(x) == Rows{{0, 1, 1}, {0, 2, 2}, {0, 3, 4}});
    CHECK(x.local_rows[0] == 1);
    CHECK(x.sent_rows[0] == 8);
    CHECK(x.assignments(3, 6) == 2);
    CHECK(x.assignments(3, 7) == 2);
    CHECK(x.tokens[0] == 3);
}

TEST_CASE("deduplicated by rank a token travels to a GPU once") {
    const Exchange x = count(two_nodes(), Dedup::rank);
    CHECK(rows_of(x) == Rows{{0, 1, 1}, {0, 2, 1}, {0, 3, 3}});
    CHECK(x.sent_rows[0] == 6);
    CHECK(x.received_rows[3] == 3);
    CHECK(x.assignments(3, 6) + x.assignments(3, 7) == 4);  // experts still compute every row
}

TEST_CASE("deduplicated by node a token crosses once and is forwarded inside") {
    // All three tokens go to node 1 once, to GPU 2 (GPU 0's place there); GPU 2 forwards to GPU 3 the three that it
    // needs.
    const Exchange x = count(two_nodes(), Dedup::node);
    CHECK(rows_of(x) == Rows{{0, 1, 1}, {0, 2, 3}, {2, 3, 3}});
    CHECK(x.sent_rows[0] == 5);  // one local, one to GPU 1, three across
    CHECK(x.received_rows[2] == 1);
    CHECK(x.received_rows[3] == 3);
    CHECK(x.hops[2].after == 1);
}

TEST_CASE("the return runs the hops backwards, forwarders last") {
    const Exchange x = count(two_nodes(), Dedup::node);
    const auto out = dispatch_messages(x, Bytes(10));
    const auto back = return_messages(x, Bytes(20));
    REQUIRE(back.size() == 3);
    CHECK(out[2].after == std::vector<std::uint32_t>{1});
    CHECK_FALSE(out[2].waits_for_issue);
    CHECK(back[0].from == RankId(3));  // GPU 3's results to GPU 2
    CHECK(back[0].to == RankId(2));
    CHECK(back[0].bytes == Bytes(60));
    CHECK(back[1].from == RankId(2));  // one row a token, after GPU 3's share and its own
    CHECK(back[1].to == RankId(0));
    CHECK(back[1].after == std::vector<std::uint32_t>{0});
    CHECK(back[1].waits_for_issue);
}

TEST_CASE("tensor-parallel peers send to their like") {
    const Exchange x = count(two_nodes(2), Dedup::rank);
    CHECK(rows_of(x) == Rows{{0, 2, 1}, {0, 4, 1}, {0, 6, 3}, {1, 3, 1}, {1, 5, 1}, {1, 7, 3}});
    CHECK(x.assignments(6, 6) == x.assignments(7, 6));
}

TEST_CASE("expert groups keep their tokens to themselves") {
    Scenario s;
    s.topology = one_switch(4);
    s.model.moe_layers = 1;
    s.model.experts = 4;
    s.parallelism = {4, 2, 1};  // two groups of two
    const Fabric fabric = build_fabric(s.topology);
    const RankGrid grid(s.parallelism);
    const Placement placement = make_placement(PlacementMethod::round_robin, s.model, s.parallelism);
    const std::vector<ExpertIndex> all = {0, 1, 2, 3};
    const SourceChoices source{3, all, 1};
    const Exchange x = count_exchange({&source, 1}, LayerId(0), Dedup::rank, placement, grid, fabric);
    CHECK(rows_of(x) == Rows{{3, 2, 2}});  // experts 0 and 2 at position 0 of the second group: GPU 2
    CHECK(x.local_rows[3] == 2);
}

TEST_CASE("placements spread experts evenly") {
    ModelSpec m;
    m.moe_layers = 3;
    m.experts = 12;
    const ParallelismSpec p{4, 4, 1};
    const Placement contiguous = make_placement(PlacementMethod::contiguous, m, p);
    const Placement round_robin = make_placement(PlacementMethod::round_robin, m, p);
    CHECK(contiguous.position(LayerId(0), 5) == 1);
    CHECK(round_robin.position(LayerId(0), 5) == 1);
    CHECK(contiguous.position(LayerId(0), 11) == 3);
    CHECK(round_robin.position(LayerId(0), 4) == 0);
    for (std::size_t at = 0; at < 4; ++at) {
        CHECK(contiguous.experts_at(at) == 9);
        CHECK(round_robin.experts_at(at) == 9);
    }
}

TEST_CASE("parts of a range differ by one at most and cover it") {
    for (std::int64_t size = 0; size < 20; ++size)
        for (std::int64_t parts = 1; parts < 8; ++parts) {
            std::int64_t at = 5;
            for (std::int64_t i = 0; i < parts; ++i) {
                const Range r = part_of({5, 5 + size}, parts, i);
                CHECK(r.begin == at);
                CHECK((r.size() == size / parts || r.size() == size / parts + 1));
                at = r.end;
            }
            CHECK(at == 5 + size);
        }
}

TEST_CASE("tokens cross to the GPU that has the sender's place in the other node") {
    const Case c = two_nodes();
    const SourceChoices source{1, choices, 3};  // from GPU 1: the second place, so over GPU 3
    const Exchange x = count_exchange({&source, 1}, LayerId(0), Dedup::node, c.placement, c.grid, c.fabric);
    CHECK(rows_of(x) == Rows{{1, 0, 1}, {1, 3, 3}, {3, 2, 1}});
    CHECK(x.forwarded_rows == std::vector<std::int64_t>{0, 0, 0, 3});
}
