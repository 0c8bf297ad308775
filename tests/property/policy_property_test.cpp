// What holds for every policy, whatever the gate.
#include <algorithm>
#include <set>

#include "support/catch.hpp"
#include "support/random_scenario.hpp"
#include "support/routing.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

bool weighs_tokens_against_each_other(Policy p) { return p == Policy::expert_choice || p == Policy::sinkhorn; }

void check_rows(const Routing& r, const Scenario& s) {
    for (std::size_t t = 0; t < r.tokens(); ++t) {
        std::set<ExpertIndex> distinct;
        std::size_t chosen = 0;
        float weight = 0;
        for (std::size_t i = 0; i < r.width; ++i) {
            const ExpertIndex e = r.token(t)[i];
            const float gate = r.gates[t * r.width + i];
            REQUIRE((gate >= 0 && gate <= 1.00001F));
            weight += gate;
            if (e == no_expert) {
                REQUIRE(gate == 0);
                continue;
            }
            ++chosen;
            distinct.insert(e);
            REQUIRE(e < s.model.experts);
        }
        REQUIRE(distinct.size() == chosen);
        if (fills_every_place(s.routing)) REQUIRE(chosen == static_cast<std::size_t>(s.model.top_k));
        // Experts that choose their tokens keep the probabilities; all other weights sum up to 1.
        if (chosen > 0 && s.routing.policy != Policy::expert_choice) REQUIRE(weight == Approx(1).epsilon(1e-4));
    }
}

}  // namespace

TEST_CASE("every policy chooses distinct experts with proper weights, and the same again") {
    std::set<Policy> seen;
    for (std::uint64_t number = 0; number < 300; ++number) {
        const Scenario s = random_scenario(number);
        if (s.routing.policy == Policy::trace) continue;
        seen.insert(s.routing.policy);
        INFO("scenario " << number << ", policy " << policy_names[static_cast<std::size_t>(s.routing.policy)]);
        const auto layers = static_cast<std::size_t>(s.model.moe_layers);
        constexpr std::int64_t tokens = 300;
        const auto policy = make_policy(s);
        const auto all = route_layers(*policy, tokens, layers, true, number % 3);
        for (const Routing& r : all) {
            REQUIRE(r.tokens() == tokens);
            REQUIRE(r.gates.size() == r.experts.size());
            if (s.routing.policy != Policy::expert_choice) REQUIRE(r.width == static_cast<std::size_t>(s.model.top_k));
            check_rows(r, s);
        }
        const auto again = route_layers(*make_policy(s), tokens, layers, false, number % 3);
        for (std::size_t l = 0; l < layers; ++l) REQUIRE(again[l].experts == all[l].experts);
    }
    CHECK(seen.size() == policy_names.size() - 1);
}

TEST_CASE("policies that decide for each token alone give the same in any split of the tokens") {
    for (std::uint64_t number = 0; number < 200; ++number) {
        const Scenario s = random_scenario(number);
        if (s.routing.policy == Policy::trace || weighs_tokens_against_each_other(s.routing.policy)) continue;
        INFO("scenario " << number << ", policy " << policy_names[static_cast<std::size_t>(s.routing.policy)]);
        const auto policy = make_policy(s);
        const Routing whole = route_layers(*policy, 700, 1)[0];
        TokenBatch batch;
        batch.tokens = {333, 690};
        Routing part;
        policy->route(batch, part);
        REQUIRE(std::equal(part.experts.begin(), part.experts.end(),
                           whole.experts.begin() + static_cast<std::ptrdiff_t>(333 * whole.width)));
    }
}

TEST_CASE("spare choices continue a token's ranking") {
    for (std::uint64_t number = 0; number < 200; ++number) {
        Scenario s = random_scenario(number);
        if (s.routing.overflow != Overflow::next_choice) continue;
        s.routing.skipped.clear();
        INFO("scenario " << number << ", policy " << policy_names[static_cast<std::size_t>(s.routing.policy)]);
        TokenBatch batch;
        batch.tokens = {0, 50};
        batch.spare = static_cast<std::size_t>(s.model.experts - s.model.top_k);
        Routing out;
        make_policy(s)->route(batch, out);
        REQUIRE(out.width == static_cast<std::size_t>(s.model.experts));
        for (std::size_t t = 0; t < 50; ++t) {
            std::multiset<ExpertIndex> row(out.token(t).begin(), out.token(t).end());
            row.erase(no_expert);
            REQUIRE(std::set<ExpertIndex>(row.begin(), row.end()).size() == row.size());
        }
    }
}
