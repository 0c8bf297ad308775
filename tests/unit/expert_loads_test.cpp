#include "calibrate/expert_loads.hpp"

#include <numeric>

#include "support/catch.hpp"

using namespace moesim;

namespace {

using Loads = std::vector<std::int64_t>;

ExpertRow row(std::int64_t tokens, std::int64_t top_k, std::int64_t experts, std::int64_t ranks) {
    ExpertRow r;
    r.tokens = tokens, r.top_k = top_k, r.experts = experts, r.ranks = ranks;
    return r;
}

std::int64_t sum(const Loads& loads) { return std::accumulate(loads.begin(), loads.end(), std::int64_t{0}); }

}  // namespace

TEST_CASE("even loads go round the experts", "[tables]") {
    // 8 experts, top-2: a stride of 4. Tokens 0..4 choose (0, 4), (1, 5), (2, 6), (3, 7), (4, 0).
    CHECK(balanced_loads(row(5, 2, 8, 1)) == Loads{2, 1, 1, 1, 2, 1, 1, 1});
    CHECK(balanced_loads(row(5, 2, 8, 4)) == Loads{2, 1});
    // Two tokens, fewer than a stride: 0 * 4 / 2 = 0 and 1 * 4 / 2 = 2, so (0, 4) and (2, 6).
    CHECK(balanced_loads(row(2, 2, 8, 1)) == Loads{1, 0, 1, 0, 1, 0, 1, 0});
    // Many tokens: 8,000 of them give each of 8 experts 2,000 rows.
    CHECK(balanced_loads(row(8000, 2, 8, 2)) == Loads{2000, 2000, 2000, 2000});
}

TEST_CASE("skewed loads add up, stay below the tokens, and are those of the worst rank", "[tables]") {
    for (std::int64_t tokens : {1, 7, 64, 4096}) {
        ExpertRow r = row(tokens, 8, 64, 1);
        r.loads = {false, 1.01, false};
        const Loads all = power_law_loads(r, 3);
        CHECK(sum(all) == 8 * tokens);
        for (const std::int64_t n : all) CHECK((n >= 0 && n <= tokens));
        r.ranks = 8;
        const Loads worst = power_law_loads(r, 3);
        REQUIRE(worst.size() == 8);
        // The same draw: no rank of eight has more.
        for (std::size_t first = 0; first < 64; first += 8)
            CHECK(sum(worst) >= std::accumulate(all.begin() + static_cast<std::ptrdiff_t>(first),
                                                all.begin() + static_cast<std::ptrdiff_t>(first + 8), std::int64_t{0}));
        CHECK(power_law_loads(r, 3) == worst);
    }
}

TEST_CASE("a single token's choices are handed to the first experts", "[tables]") {
    // Eight choices over 256 experts: no share of a draw rounds up to 1, and the least loaded are the first ones.
    ExpertRow r = row(1, 8, 256, 32);
    r.loads = {false, 1.01, false};
    CHECK(power_law_loads(r, 0) == Loads(8, 1));
    // The ranks in turn: the first eight of 32 get one each.
    r.loads.ranks_in_turn = true;
    CHECK(power_law_loads(r, 0) == Loads{1, 0, 0, 0, 0, 0, 0, 0});
    // With four ranks each gets two.
    r.ranks = 4;
    Loads two(64);
    two[0] = two[1] = 1;
    CHECK(power_law_loads(r, 0) == two);
}

TEST_CASE("ranks in turn get what is missing, and keep below the tokens", "[tables]") {
    for (std::int64_t tokens : {3, 100, 5000}) {
        ExpertRow r = row(tokens, 2, 8, 4);
        r.loads = {false, 0.6, true};
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const Loads worst = power_law_loads(r, seed);
            REQUIRE(worst.size() == 2);
            CHECK(sum(worst) >= 2 * tokens / 4);
            for (const std::int64_t n : worst) CHECK((n >= 0 && n <= tokens));
        }
    }
}
