// Tokens that stay with their experts, worked out by hand.
#include "engine/token_homes.hpp"

#include <array>
#include <map>

#include "base/random.hpp"
#include "support/catch.hpp"
#include "support/random_scenario.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

using Rows = std::vector<std::array<std::int64_t, 3>>;

Rows rows_of(const Exchange& x) {
    Rows all;
    for (const Hop& h : x.hops)
        all.push_back({static_cast<std::int64_t>(h.from.value()), static_cast<std::int64_t>(h.to.value()), h.rows});
    return all;
}

// Four GPUs with one expert each; only GPU 0 has tokens.
struct Four {
    Scenario scenario = tiny(4, 4);
    Fabric fabric = build_fabric(scenario.topology);
    RankGrid grid{scenario.parallelism};
    Placement placement = make_placement(PlacementMethod::contiguous, scenario.model, scenario.parallelism);

    static std::vector<Routing> routed(std::size_t width, std::vector<ExpertIndex> experts) {
        std::vector<Routing> all(4);
        for (Routing& r : all) r.width = width;
        all[0].experts = std::move(experts);
        return all;
    }
    TokenHomes::Parts move(TokenHomes& homes, const std::vector<Routing>& sent, std::int64_t chunks = 1) const {
        CopyChooser chooser(placement, LayerId(0), ReplicaPolicy::locality, grid, fabric);
        return homes.move(sent, chunks, chooser, Dedup::rank, fabric);
    }
};

}  // namespace

TEST_CASE("a token goes on from where its expert was", "[token-homes]") {
    const Four four;
    TokenHomes homes(four.grid, std::array<std::int64_t, 4>{3, 0, 0, 0});
    // Two tokens to GPU 1, one to GPU 2, none back.
    auto parts = four.move(homes, Four::routed(1, {1, 1, 2}));
    CHECK(rows_of(parts.out[0]) == Rows{{0, 1, 2}, {0, 2, 1}});
    CHECK(rows_of(parts.back[0]).empty());
    CHECK(homes.tokens(0) == 0);
    CHECK(homes.tokens(1) == 2);
    CHECK(homes.tokens(2) == 1);
    // The first stays on GPU 1, the second goes on from there to GPU 3, the third has no expert and stays on GPU 2.
    parts = four.move(homes, Four::routed(1, {1, 3, no_expert}));
    CHECK(rows_of(parts.out[0]) == Rows{{1, 3, 1}});
    CHECK(parts.out[0].local_rows[1] == 1);
    CHECK(parts.out[0].tokens == std::vector<std::int64_t>{0, 2, 1, 0});
    CHECK(parts.back[0].tokens == std::vector<std::int64_t>{0, 1, 1, 1});
}

TEST_CASE("what other experts made of a token comes to where its best one is", "[token-homes]") {
    // Experts 2 and 1: dispatched to both; GPU 1's result then goes to GPU 2 (counted from there). The next token's
    // experts 0 and 3: it stays on GPU 0, and GPU 3's result comes back.
    const Four four;
    TokenHomes homes(four.grid, std::array<std::int64_t, 4>{2, 0, 0, 0});
    const auto parts = four.move(homes, Four::routed(2, {2, 1, 0, 3}));
    CHECK(rows_of(parts.out[0]) == Rows{{0, 1, 1}, {0, 2, 1}, {0, 3, 1}});
    CHECK(rows_of(parts.back[0]) == Rows{{0, 3, 1}, {2, 1, 1}});
    CHECK(parts.back[0].sent_rows == std::vector<std::int64_t>{2, 0, 2, 0});
}

TEST_CASE("each chunk returns what it dispatched", "[token-homes]") {
    const Four four;
    TokenHomes homes(four.grid, std::array<std::int64_t, 4>{2, 0, 0, 0});
    const auto parts = four.move(homes, Four::routed(2, {2, 1, 0, 3}), 2);
    CHECK(rows_of(parts.out[0]) == Rows{{0, 1, 1}, {0, 2, 1}});
    CHECK(rows_of(parts.back[0]) == Rows{{2, 1, 1}});
    CHECK(rows_of(parts.out[1]) == Rows{{0, 3, 1}});
    CHECK(rows_of(parts.back[1]) == Rows{{0, 3, 1}});
}

TEST_CASE("a token goes to the copy that is nearest to where it is", "[token-homes][replicas]") {
    // Expert 1 on GPUs 1 and 2, the best of both tokens; expert 3 is on GPU 3. From GPU 0 the tokens go to GPU 1 and
    // GPU 2, the nearest set being the whole node; in the next layer both stay where they are, and GPU 3's results come
    // to them there.
    Four four;
    four.placement = Placement({{{0}, {1, 2}, {2}, {3}}}, 4);
    TokenHomes homes(four.grid, std::array<std::int64_t, 4>{2, 0, 0, 0});
    auto parts = four.move(homes, Four::routed(2, {1, no_expert, 1, no_expert}));
    CHECK(rows_of(parts.out[0]) == Rows{{0, 1, 1}, {0, 2, 1}});
    parts = four.move(homes, Four::routed(2, {1, 3, 1, 3}));
    CHECK(rows_of(parts.out[0]) == Rows{{1, 3, 1}, {2, 3, 1}});
    CHECK(parts.out[0].local_rows == std::vector<std::int64_t>{0, 1, 1, 0});
    CHECK(rows_of(parts.back[0]) == Rows{{1, 3, 1}, {2, 3, 1}});
}

TEST_CASE("no token is lost, and experts compute what they were sent", "[token-homes]") {
    for (std::uint64_t i = 0; i < 200; ++i) {
        INFO("random_scenario(" << i << ")");
        const Scenario s = random_scenario(i);
        const Fabric fabric = build_fabric(s.topology);
        const RankGrid grid(s.parallelism);
        const Placement placement = make_placement(s.placement.method, s.model, s.parallelism);
        RandomStream random(stream_key(23, 0), i);
        std::vector<std::int64_t> tokens;
        std::map<std::pair<std::size_t, std::size_t>, std::size_t> home;  // of token (source, index)
        for (std::size_t d = 0; d < grid.data(); ++d) {
            tokens.push_back(random.below(20));
            for (std::int64_t t = 0; t < tokens[d]; ++t) home[{d, static_cast<std::size_t>(t)}] = d;
        }
        TokenHomes homes(grid, tokens);
        for (std::size_t layer = 0; layer < static_cast<std::size_t>(s.model.moe_layers); ++layer) {
            std::vector<Routing> sent(grid.data());
            for (std::size_t d = 0; d < grid.data(); ++d) {
                sent[d].clear(static_cast<std::size_t>(tokens[d]), 1 + i % 2);
                for (ExpertIndex& e : sent[d].experts)
                    if (random.below(5) > 0)
                        e = static_cast<ExpertIndex>(random.below(static_cast<std::uint32_t>(s.model.experts)));
            }
            CopyChooser chooser(placement, LayerId(layer), ReplicaPolicy::locality, grid, fabric);
            const auto parts = homes.move(sent, 2, chooser, Dedup::rank, fabric);
            std::vector<std::int64_t> expected(grid.data());
            for (auto& [token, at] : home) {
                for (const ExpertIndex e : sent[token.first].token(token.second))
                    if (e != no_expert) {
                        at = grid.group_begin(token.first) + placement.position(LayerId(layer), e);
                        break;
                    }
                ++expected[at];
            }
            for (std::size_t d = 0; d < grid.data(); ++d) CHECK(homes.tokens(d) == expected[d]);
            for (std::size_t c = 0; c < 2; ++c) {
                CHECK(parts.out[c].received_rows == parts.back[c].received_rows);
                CHECK(parts.out[c].assignments == parts.back[c].assignments);
            }
        }
    }
}

TEST_CASE("with one expert a token nothing is returned, and keys and values are gathered once", "[token-homes]") {
    // 16 sequences on 4 GPUs, one new token each after 10. 2 layers of 2 key-value heads of 16: a token's keys and
    // values are 2 * 2 * 32 * 2 B = 256 B; each GPU gives its 4 tokens' to three others. All hold all 16 sequences.
    Scenario s = tiny(4, 1);
    s.batch.sequences = 16;
    s.batch.context = 10;
    s.model.moe_layers = 2;
    s.model.attention = AttentionSpec{4, 2, 16, true};
    s.dispatch.algorithm = Algorithm::context_coherent;
    const auto d = simulate_document(s);
    CHECK(d["traffic"]["context_bytes"] == 4 * 3 * 4 * 256);
    CHECK(d["traffic"]["return_bytes"] == 0);
    CHECK(d["all_to_all"]["return"]["calls"] == 0);
    CHECK(d["all_to_all"]["dispatch"]["calls"] == 2);
    CHECK(d["memory"]["ranks"][0]["kv_cache_bytes"] == 2 * 16 * 11 * 2 * 32 * 2);
}
