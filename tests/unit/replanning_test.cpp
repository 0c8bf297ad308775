// Placements over time: what is seen when, and what is made of the times of steps.
#include <algorithm>

#include "base/error.hpp"
#include "study/replanning.hpp"
#include "study/routing_of.hpp"
#include "study/workload_steps.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// 24 tokens in 6 sequences on two GPUs, of experts whose popularity drifts.
Scenario drifting() {
    Scenario s = tiny(2, 4);
    s.batch.sequences = 6;
    s.model.experts = 8;
    s.model.moe_layers = 2;
    s.model.top_k = 2;
    s.routing.policy = Policy::softmax_topk;
    s.routing.popularity.base = ZipfSpec{0.5};
    s.routing.popularity.drift = 0.3;
    return s;
}

std::vector<ExpertIndex> choices(const RoutingTrace& t, std::size_t begin, std::size_t end) {
    const auto row = static_cast<std::ptrdiff_t>(t.layers * t.top_k);
    return {t.choices.begin() + static_cast<std::ptrdiff_t>(begin) * row,
            t.choices.begin() + static_cast<std::ptrdiff_t>(end) * row};
}

}  // namespace

// A plan for step 12 of 40: made anew every 4 steps it is learned from steps 8 to 11, of which only 3 may be looked at
// where 3 steps hold all the tokens there may be; never made anew, it is learned as if after the whole run.
TEST_CASE("a plan is learned from the steps right before it", "[replanning]") {
    const auto window = [](std::int64_t first, std::int64_t interval, std::int64_t most) {
        const Range r = learned_steps(first, interval, 40, most);
        return std::pair(r.begin, r.end);
    };
    CHECK(window(12, 4, 100) == std::pair<std::int64_t, std::int64_t>(8, 12));
    CHECK(window(12, 4, 3) == std::pair<std::int64_t, std::int64_t>(9, 12));
    CHECK(window(0, 0, 100) == std::pair<std::int64_t, std::int64_t>(-40, 0));
    CHECK(window(0, 0, 3) == std::pair<std::int64_t, std::int64_t>(-3, 0));
    CHECK(window(0, 1, 3) == std::pair<std::int64_t, std::int64_t>(-1, 0));
}

TEST_CASE("a step is the next batch, with popularities moved on", "[replanning]") {
    Scenario s = drifting();
    s.batch.first_token = 100;
    s.routing.step = 5;
    CHECK(at_step(s, 0) == s);
    CHECK(at_step(s, 3).batch.first_token == 100 + 3 * 24);
    CHECK(at_step(s, 3).routing.step == 8);
}

// 12 tokens a step are those of the first GPU, 12 those of the second.
TEST_CASE("seen tokens of several steps stay with their sources", "[replanning]") {
    const Scenario s = drifting();
    const RoutingTrace second = record(at_step(s, 1), "s", {}), third = record(at_step(s, 2), "s", {});
    CHECK(seen_tokens(s, "s", {1, 2}, 24) == second);
    const RoutingTrace both = seen_tokens(s, "s", {1, 3}, 48);
    REQUIRE(both.tokens == 48);
    CHECK(both.source_begin == std::vector<std::size_t>{0, 24});
    CHECK(choices(both, 0, 12) == choices(second, 0, 12));
    CHECK(choices(both, 12, 24) == choices(third, 0, 12));
    CHECK(choices(both, 24, 36) == choices(second, 12, 24));
    CHECK(choices(both, 36, 48) == choices(third, 12, 24));
    // Whole sequences of 4.
    CHECK(seen_tokens(s, "s", {1, 2}, 10).tokens == 8);
    CHECK(seen_tokens(s, "s", {1, 2}, 1).tokens == 4);
}

TEST_CASE("steps that there are not are refused", "[replanning]") {
    Scenario s = drifting();
    s.routing.step = 999'990;
    CHECK_NOTHROW(check_steps(s, "s.json", 10));
    CHECK_THROWS_WITH(check_steps(s, "s.json", 11),
                      "s.json: $.routing.step: found 999990, expected 11 steps after it to end by step 1000000");
    const Folder folder;
    std::string csv = "token,layer,e0,e1\n";
    for (int token = 0; token < 100; ++token)
        for (int layer = 0; layer < 2; ++layer) csv += std::to_string(token) + "," + std::to_string(layer) + ",0,1\n";
    s.routing = {};
    s.routing.policy = Policy::trace;
    s.routing.trace = folder.write("trace.csv", csv).string();
    s.batch.first_token = 4;
    CHECK_NOTHROW(check_steps(s, "s.json", 4));  // 4 + 4 x 24 = 100
    CHECK_THROWS_WITH(check_steps(s, "s.json", 5),
                      s.routing.trace +
                          ": found 100 tokens, expected at least 124: 5 steps of 24 tokens from token 4 "
                          "on, since none is to be seen before it is judged");
}

// Ages 0, 1, 2, 3, 0: the two steps of age 0 take 11 + 12 where the oracle takes 10 + 10; ages 2 and 3 go together.
TEST_CASE("staleness by the age of the plan", "[replanning]") {
    ReplannedLine line;
    const auto step = [&](std::int64_t age, double time, double migration) {
        line.steps.push_back({age, Seconds(time), Seconds(10), Seconds(migration)});
    };
    step(0, 11, 0), step(1, 13, 0), step(2, 14, 0), step(3, 18, 0), step(0, 12, 2);
    line.replans.resize(3);
    line.replans[1].taken = true;
    CHECK(line.step_mean().value() == Approx(13.6));
    CHECK(line.migration_mean().value() == Approx(0.4));
    CHECK(line.taken() == 1);
    const auto s = line.staleness();
    REQUIRE(s.size() == 3);
    CHECK((s[0].from == 0 && s[0].to == 0 && s[0].steps == 2));
    CHECK(s[0].slower == Approx(0.15));
    CHECK((s[1].from == 1 && s[1].to == 1 && s[1].steps == 1));
    CHECK(s[1].slower == Approx(0.3));
    CHECK((s[2].from == 2 && s[2].to == 3 && s[2].steps == 2));
    CHECK(s[2].slower == Approx(0.6));
}
