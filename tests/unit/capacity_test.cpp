#include <cmath>

#include "support/catch.hpp"
#include "support/routing.hpp"
#include "workload/capacity.hpp"
#include "workload/load.hpp"

using namespace moesim;
using namespace moesim::test;

TEST_CASE("capacity is ceil(CF N k / E), and overflow is dropped in arrival order") {
    CHECK(expert_capacity(1.25, 10, 2, 8) == 4);  // ceil(1.25 * 2.5) = ceil(3.125)
    CHECK(expert_capacity(1.0, 16, 1, 4) == 4);
    CHECK(expert_capacity(1.1, 400, 1, 4) == 110);  // not 111, although 1.1 * 100 is a little more than 110 in doubles
    Routing r;
    r.width = 2;
    r.experts = {0, 1, 0, 2, 0, 1, 0, 3};  // four tokens, top-2
    const Limited l = limit_load(r, 2, 2, 4, Overflow::drop);
    CHECK(l.chosen == 8);
    CHECK(l.dropped == 2);
    CHECK(r.experts == std::vector<ExpertIndex>{0, 1, 0, 2, no_expert, 1, no_expert, 3});
}

TEST_CASE("overflow goes to the next choice that has room") {
    // Three tokens, top-1 of 3 with full rankings; capacity 1. Token 0 takes 0; token 1 wants 0, then 1; token 2 wants
    // 0, then 1, then 2.
    Routing r;
    r.width = 3;
    r.experts = {0, 1, 2, 0, 1, 2, 0, 1, 2};
    const Limited l = limit_load(r, 1, 1, 3, Overflow::next_choice);
    CHECK(l.rerouted == 2);
    CHECK(l.dropped == 0);
    CHECK(r.width == 1);
    CHECK(r.experts == std::vector<ExpertIndex>{0, 1, 2});
}

TEST_CASE("a token's own other choice is no next choice") {
    // Top-2 of 3, capacity 1: token 1 wants 0 and 1; both are full, 2 has room for one of them.
    Routing r;
    r.width = 3;
    r.experts = {0, 1, 2, 0, 1, 2};
    const Limited l = limit_load(r, 2, 1, 3, Overflow::next_choice);
    CHECK(l.chosen == 4);
    CHECK(l.rerouted == 1);
    CHECK(l.dropped == 1);
    CHECK(r.experts == std::vector<ExpertIndex>{0, 1, 2, no_expert});
}

TEST_CASE("load balance of a hand-made load") {
    // 1, 3, 2, 2: mean 2, deviations 1, 1, 0, 0: std = sqrt(2 / 4); CV = 0.35355; max / mean = 1.5.
    const std::vector<std::int64_t> load = {1, 3, 2, 2};
    CHECK(load_balance(load).cv == Approx(std::sqrt(0.5) / 2));
    CHECK(load_balance(load).max_over_mean == Approx(1.5));
    CHECK(load_balance(std::vector<std::int64_t>(4)).cv == 0);
}
