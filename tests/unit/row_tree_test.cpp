// Which rows an exchange sends, by hand.
#include "calibrate/execute/row_tree.hpp"

#include "calibrate/execute/chunk_rows.hpp"
#include "network/alltoall/all_to_all.hpp"
#include "placement/placement.hpp"
#include "support/catch.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// Two nodes of two ranks, an expert a rank, one token: of rank 0, with experts 2 and 3, which are on the other node.
struct OneToken {
    Scenario s = tiny(4, 4);
    Fabric fabric;
    RankGrid grid;
    Placement placement;
    LayerCopies copies;
    std::vector<std::vector<CopyIndex>> choices = {{2, 3}, {}, {}, {}};

    OneToken()
        : fabric(build_fabric(small_tree(2, 2))), grid(s.parallelism), placement(make()),
          copies(placement, LayerId(0)) {}
    Placement make() {
        s.model.top_k = 2;
        return make_placement(PlacementMethod::contiguous, s.model, s.parallelism);
    }
    RowTree tree(Dedup dedup, Algorithm algorithm) {
        s.dispatch.dedup = dedup;
        s.dispatch.algorithm = algorithm;
        std::vector<SourceCopies> sources;
        for (std::size_t d = 0; d < 4; ++d) sources.push_back({d, choices[d], 2});
        const Exchange exchange = count_exchange(sources, copies, dedup, grid, fabric);
        const auto all_to_all = make_all_to_all(s.dispatch, s.profile, grid, fabric);
        messages = all_to_all->dispatch(exchange, Bytes(10));
        return rows_of(sources, copies, s.dispatch, exchange, messages, Bytes(10), grid, fabric);
    }
    std::vector<Message> messages;
};

}  // namespace

TEST_CASE("deduplicated by rank each expert's rank gets its own row from the token") {
    OneToken t;
    const RowTree tree = t.tree(Dedup::rank, Algorithm::direct);
    REQUIRE(tree.nodes.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(tree.nodes[i].at == RankId(2 + i));
        CHECK(tree.nodes[i].parent == RowNode::none);
        CHECK(t.messages[tree.nodes[i].message].to == RankId(2 + i));
        CHECK(tree.assignments[i].node == i);
        CHECK(tree.assignments[i].expert == 2 + i);
        CHECK(tree.assignments[i].place == i);
    }
}

TEST_CASE("deduplicated by node one row crosses, and the other is made of it") {
    // Rank 0 is the first of its node, so rank 2, the first of the other, gets the row, keeps it for expert 2 and sends
    // a copy on to rank 3 for expert 3.
    OneToken t;
    const RowTree tree = t.tree(Dedup::node, Algorithm::rail);
    REQUIRE(tree.nodes.size() == 2);
    CHECK(tree.nodes[0].at == RankId(2));
    CHECK(tree.nodes[0].parent == RowNode::none);
    CHECK(tree.nodes[1].at == RankId(3));
    CHECK(tree.nodes[1].parent == 0);
    const std::vector<SourceGates> gates = {{{0.75F, 0.25F}, 2}, {{}, 2}, {{}, 2}, {{}, 2}};

    const ChunkRows proxy = chunk_rows(tree, RankId(2), 2, 0, {2}, gates);
    CHECK(proxy.stored == 1);
    CHECK(proxy.gather == std::vector<std::int32_t>{0});
    CHECK(proxy.weights == std::vector<float>{0.75F});
    REQUIRE(proxy.forwarded.size() == 1);
    CHECK(proxy.forwarded[0].rows == std::vector<std::int32_t>{0});
    // What goes back to rank 0 is its own sum, row 0, and what came back from rank 3, row 1.
    REQUIRE(proxy.back.size() == 1);
    CHECK(proxy.back[0].width == 2);
    CHECK(proxy.back[0].terms == std::vector<std::int32_t>{0, 1});

    const ChunkRows home = chunk_rows(tree, RankId(0), 0, 1, {0}, gates);
    CHECK(home.pack_sent == std::vector<std::int32_t>{0});
    CHECK(home.pack_local.empty());
    CHECK(home.copies == std::vector<std::int32_t>{1});
    CHECK(home.unpack == std::vector<std::int32_t>{0});

    const ChunkRows leaf = chunk_rows(tree, RankId(3), 3, 0, {3}, gates);
    CHECK(leaf.weights == std::vector<float>{0.25F});
    REQUIRE(leaf.back.size() == 1);
    CHECK(leaf.back[0].terms.empty());
    CHECK(leaf.back[0].run.rows == 1);
}

TEST_CASE("in two levels a row goes to the member of its node that has the destination's place") {
    // To rank 2, of place 0 as rank 0 itself: straight. To rank 3, of place 1: over rank 1.
    OneToken t;
    const RowTree tree = t.tree(Dedup::rank, Algorithm::hierarchical);
    REQUIRE(tree.nodes.size() == 3);
    CHECK(tree.nodes[0].at == RankId(2));
    CHECK(tree.nodes[1].at == RankId(1));
    CHECK(tree.nodes[2].at == RankId(3));
    CHECK(tree.nodes[2].parent == 1);
    const std::vector<SourceGates> gates = {{{0.5F, 0.5F}, 2}, {{}, 2}, {{}, 2}, {{}, 2}};
    const ChunkRows over = chunk_rows(tree, RankId(1), 1, 0, {1}, gates);
    CHECK(over.gather.empty());
    REQUIRE(over.back.size() == 1);
    CHECK(over.back[0].terms == std::vector<std::int32_t>{1});  // nothing of its own: only what came back
}

TEST_CASE("a token whose expert is at home is packed, and never sent") {
    OneToken t;
    t.choices[0] = {0, no_copy};
    const RowTree tree = t.tree(Dedup::rank, Algorithm::direct);
    REQUIRE(tree.nodes.size() == 1);
    CHECK(tree.nodes[0].message == RowNode::none);
    CHECK(t.messages.empty());
    const ChunkRows rows = chunk_rows(tree, RankId(0), 0, 1, {0}, {{{1, 0}, 2}, {{}, 2}, {{}, 2}, {{}, 2}});
    CHECK(rows.local == 1);
    CHECK(rows.pack_local == std::vector<std::int32_t>{0});
    CHECK(rows.sum == std::vector<std::int32_t>{0});
}
