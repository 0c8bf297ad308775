// All-gathers and all-reduces against the formulas of their papers, in ranks on one switch of 1 GB/s with a start-up
// of 5 us. 1e5 B take 100 us.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "network/collectives/ring.hpp"
#include "network/collectives/tree.hpp"
#include "support/catch.hpp"
#include "support/exchanges.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr double startup = 5e-6;
constexpr Bytes block(100'000);

std::vector<RankId> ranks(std::size_t n) {
    std::vector<RankId> all;
    for (std::size_t r = 0; r < n; ++r) all.emplace_back(r);
    return all;
}

double time(const std::vector<Message>& messages, std::size_t n) {
    Profile profile = ideal_profile();
    profile.nvlink.overhead.value = Seconds(startup);
    return time_of(messages, one_switch(static_cast<std::int64_t>(n)), profile);
}

// Lets each rank start with `initial(rank)` and each message carry all that its sender has by then of its own and of
// what the message waits for; returns what each rank ends with.
std::vector<std::set<std::size_t>> spread(const std::vector<Message>& messages, std::size_t n) {
    std::vector<std::set<std::size_t>> carried(messages.size()), ends(n);
    for (std::size_t r = 0; r < n; ++r) ends[r].insert(r);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const Message& m = messages[i];
        carried[i].insert(m.from.value());
        for (const std::uint32_t before : m.after) {
            REQUIRE(before < i);
            if (messages[before].to == m.from) carried[i].insert(carried[before].begin(), carried[before].end());
        }
        ends[m.to.value()].insert(carried[i].begin(), carried[i].end());
    }
    return ends;
}

}  // namespace

TEST_CASE("a ring all-gather takes (n - 1) (a + m / c)", "[collectives]") {
    for (const std::size_t n : {2U, 3U, 8U}) {
        const auto messages = ring_all_gather(ranks(n), block);
        CHECK(messages.size() == n * (n - 1));
        CHECK(time(messages, n) == is(static_cast<double>(n - 1) * 105e-6));
    }
}

TEST_CASE("a ring all-reduce takes 2 (n - 1) (a + m / (n c))", "[collectives]") {
    for (const std::size_t n : {2U, 4U, 5U})
        CHECK(time(ring_all_reduce(ranks(n), block), n) ==
              is(2 * static_cast<double>(n - 1) * (startup + 100e-6 / static_cast<double>(n))));
}

TEST_CASE("Bruck's all-gather takes ceil(log2 n) a + (n - 1) m / c", "[collectives]") {
    for (const std::size_t n : {2U, 3U, 4U, 7U, 8U})
        CHECK(time(bruck_all_gather(ranks(n), block), n) ==
              is(std::ceil(std::log2(n)) * startup + static_cast<double>(n - 1) * 100e-6));
}

TEST_CASE("a two-tree all-reduce of four ranks, step by step", "[collectives]") {
    // Half the bytes, 1e5 B, in each tree. Tree one: 1 and 3 below 2, 2 below 0; tree two: 2 and 0 below 1, 1 below 3.
    // Up: 1 -> 2 and 3 -> 2 share the way into rank 2, 2 -> 1 and 0 -> 1 that into rank 1: 5 + 200 us. 2 -> 0 and
    // 1 -> 3 are alone: 105 us. Down the same again: 105 us and 205 us. Together 620 us.
    const auto messages = tree_all_reduce(ranks(4), Bytes(200'000), 1);
    CHECK(messages.size() == 12);
    CHECK(time(messages, 4) == is(620e-6));
}

TEST_CASE("two ranks reduce in two trees as on a ring", "[collectives]") {
    CHECK(time(tree_all_reduce(ranks(2), block, 1), 2) == is(2 * (startup + 50e-6)));
}

TEST_CASE("trees win where start-ups count, rings where bytes do", "[collectives]") {
    // 16 ranks, 160 B: 30 start-ups on the ring, at most 8 on the trees. 16 MB: the ring moves 15/8 of them over each
    // link, the trees some more, since their pieces have to come up before they go down.
    const auto tree = [](Bytes bytes) {
        return time(tree_all_reduce(ranks(16), bytes, best_pieces(16, bytes, Seconds(startup), BytesPerSecond(1e9))),
                    16);
    };
    CHECK(time(ring_all_reduce(ranks(16), Bytes(160)), 16) == Approx(30 * startup).epsilon(0.01));
    CHECK(tree(Bytes(160)) <= 8 * startup * 1.05);
    CHECK(time(ring_all_reduce(ranks(16), Bytes(16'000'000)), 16) == is(30 * (startup + 1e-3)));
    CHECK(tree(Bytes(16'000'000)) > 30 * (startup + 1e-3));
}

TEST_CASE("the pieces of a tree balance start-ups and transfers", "[collectives]") {
    // Depth 4, 1e6 B: sqrt(7 * 500 us / 5 us) = 26, of which 16 are allowed; 1e5 B: sqrt(7 * 50 / 5) = 8.4.
    CHECK(best_pieces(16, Bytes(1'000'000), Seconds(startup), BytesPerSecond(1e9)) == 16);
    CHECK(best_pieces(16, Bytes(100'000), Seconds(startup), BytesPerSecond(1e9)) == 8);
    CHECK(best_pieces(16, Bytes(1), Seconds(startup), BytesPerSecond(1e9)) == 1);
    CHECK(best_pieces(16, Bytes(1), Seconds(0), BytesPerSecond(1e9)) == 16);
}

TEST_CASE("a ring exchange both ways takes half the steps", "[collectives]") {
    // 5 ranks: two steps, in each of which a rank's two blocks share its way out: 2 (5 + 200 us). 4 ranks: one such
    // step, then one block alone: 205 + 105 us. 2 ranks: one block.
    CHECK(time(two_way_ring_exchange(ranks(5), block), 5) == is(410e-6));
    CHECK(time(two_way_ring_exchange(ranks(4), block), 4) == is(310e-6));
    CHECK(time(two_way_ring_exchange(ranks(2), block), 2) == is(105e-6));
    // One GPU a node, the neighbours over the same NIC at 0.1 GB/s and 1 node a leaf: ten times the bytes' time.
    CHECK(time_of(two_way_ring_exchange(ranks(3), block), small_tree(3, 1), ideal_profile()) == is(2e-3));
}

TEST_CASE("whatever the ranks, everybody ends with everything", "[collectives]") {
    for (std::size_t n = 2; n <= 33; ++n) {
        INFO(n << " ranks");
        const auto everything = [&](const std::vector<Message>& messages) {
            const auto ends = spread(messages, n);
            return std::all_of(ends.begin(), ends.end(), [&](const auto& have) { return have.size() == n; });
        };
        CHECK(everything(ring_all_gather(ranks(n), block)));
        CHECK(everything(bruck_all_gather(ranks(n), block)));
        CHECK(everything(ring_all_reduce(ranks(n), block)));
        CHECK(everything(two_way_ring_exchange(ranks(n), block)));
        for (const std::int64_t pieces : {1, 3}) {
            const auto messages = tree_all_reduce(ranks(n), block, pieces);
            CHECK(messages.size() == static_cast<std::size_t>(4 * pieces) * (n - 1));
            CHECK(everything(messages));
        }
    }
}

TEST_CASE("each rank is a leaf in one of the two trees, so no link carries more than twice its share",
          "[collectives]") {
    // Of each half an inner rank gets two pieces up and one down, sends one up and two down; a leaf one each.
    for (std::size_t n = 2; n <= 33; ++n) {
        INFO(n << " ranks");
        std::map<RankId, std::int64_t> sent;
        for (const Message& m : tree_all_reduce(ranks(n), Bytes(200), 1)) sent[m.from] += m.bytes.value();
        for (const auto& [rank, bytes] : sent) CHECK(bytes <= 100 * (3 + 1));
    }
}
