#include <cmath>
#include <set>

#include "support/catch.hpp"
#include "support/random_scenario.hpp"
#include "support/routing.hpp"
#include "workload/capacity.hpp"
#include "workload/load.hpp"
#include "workload/route_stream.hpp"

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

namespace {

// All layers of a scenario's micro-batches through a stream: the routings after drops, [layer].
std::vector<Routing> streamed(const Scenario& s, std::vector<Limited>* limited = nullptr) {
    RouteStream routes(s, make_policy(s));
    std::vector<Routing> all(static_cast<std::size_t>(s.model.moe_layers));
    for (std::size_t l = 0; l < all.size(); ++l) {
        const Limited one = routes.next(LayerId(l), 0, 0, all[l]);
        if (limited != nullptr) limited->push_back(one);
    }
    return all;
}

Scenario recurrent_stream() {
    Scenario s = routing_scenario(32, 2, 3);
    s.batch.sequences = 1;
    s.batch.tokens_per_sequence = 2000;
    s.routing.policy = Policy::recurrent;
    s.routing.recurrence = 3;
    return s;
}

}  // namespace

TEST_CASE("where nothing overflows, a next choice changes nothing, in later layers neither", "[capacity]") {
    Scenario s = recurrent_stream();
    s.routing.capacity_factor = 1e6;
    const auto dropped = streamed(s);
    s.routing.overflow = Overflow::next_choice;
    const auto rerouted = streamed(s);
    for (std::size_t l = 0; l < 3; ++l) CHECK(dropped[l].experts == rerouted[l].experts);
}

TEST_CASE("no expert takes more than its capacity, and choices are kept, rerouted or dropped", "[capacity]") {
    for (std::uint64_t number = 0; number < 200; ++number) {
        Scenario s = random_scenario(number);
        if (s.routing.policy == Policy::expert_choice) continue;
        s.parallelism.data = 1;
        s.batch.source_weights.clear();
        s.schedule.micro_batches = 1;
        s.routing.capacity_factor = 0.3 + 0.1 * static_cast<double>(number % 12);
        INFO("scenario " << number << ", policy " << policy_names[static_cast<std::size_t>(s.routing.policy)]);
        std::vector<Limited> limited;
        const auto layers = streamed(s, &limited);
        const std::int64_t capacity =
            expert_capacity(*s.routing.capacity_factor, s.batch.tokens(), s.model.top_k, s.model.experts);
        for (std::size_t l = 0; l < layers.size(); ++l) {
            std::int64_t kept = 0;
            for (const std::int64_t n : load_of(layers[l], static_cast<std::size_t>(s.model.experts))) {
                REQUIRE(n <= capacity);
                kept += n;
            }
            REQUIRE(kept == limited[l].chosen - limited[l].dropped);
            REQUIRE(limited[l].rerouted <= kept);
            if (s.routing.overflow == Overflow::drop) REQUIRE(limited[l].rerouted == 0);
            for (std::size_t t = 0; t < layers[l].tokens(); ++t) {
                std::multiset<ExpertIndex> row(layers[l].token(t).begin(), layers[l].token(t).end());
                row.erase(no_expert);
                REQUIRE(std::set<ExpertIndex>(row.begin(), row.end()).size() == row.size());
            }
        }
    }
}
