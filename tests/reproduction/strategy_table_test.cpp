// Drop rates and load CVs of routing strategies, held against training runs (strategy_table.hpp says what is compared).
//
// The bars: drop rate within 0.02 and CV within 0.05 at the capacity factor that was not fitted. Fitted at 1.25, all
// four strategies hold them at 1.0. Fitted at 1.0, hard top-2 and top-1 hold them at 1.25; for softmax top-2 and what
// the tables call expert choice the drop rate holds and the CV does not (last case: no fit at 1.0 could expect it to).
// Where the drop rate itself was fitted at 1.25, the CV of these two is 0.077 and 0.108 too low, by the same cause.
// The law of the skew was chosen among some thirty, on these same figures of 8 experts; the runs of 32 experts had no
// part in that.
#include "reproduction/strategy_table.hpp"

#include <array>
#include <cmath>
#include <tuple>

#include "support/catch.hpp"
#include "support/routing.hpp"
#include "workload/capacity.hpp"
#include "workload/load.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr double drop_bar = 0.02, cv_bar = 0.05;

bool skip(const std::vector<MeasuredRun>& runs) {
    if (runs.empty()) WARN("skipped: " << measured_tables() << " is not there");
    return runs.empty();
}

bool is_soft(const Reproduced& r) { return policy_of(r.measured.strategy) == Policy::softmax_topk; }

void check_prediction(const Reproduced& r) {
    CHECK(std::abs(r.drop_error()) <= drop_bar);
    if (r.fitted_at == 1.0 && is_soft(r))
        CHECK(std::abs(r.cv_error()) <= 0.12);  // missed: by 0.057 for softmax top-2, by 0.039 for expert choice
    else
        CHECK(std::abs(r.cv_error()) <= cv_bar);
}

// Where the skew was fitted to the drop rate, only the CV says something.
void check_fit(const Reproduced& r) {
    CHECK(std::abs(r.drop_error()) <= 0.002);
    CHECK(std::abs(r.cv_error()) <= (r.measured.capacity_factor == 1.0 ? cv_bar : 0.12));
}

// Both measures of two strategies in the same runs of 8 or 32 experts at one capacity factor.
void check_order(const Reproduced& a, const Reproduced& b) {
    INFO(a.measured.strategy << " and " << b.measured.strategy);
    if (is_soft(a) && is_soft(b)) {
        // These two are one family with one skew each, so their drop rates and CVs are in the same order at every
        // capacity factor. The measured ones are not: of the drop rates the one is larger at 1.0, the other at 1.25.
        if (a.measured.capacity_factor == 1.25 || a.is_prediction()) return;
    }
    CHECK((a.ours.drop_rate < b.ours.drop_rate) == (a.measured.drop_rate < b.measured.drop_rate));
    CHECK((a.ours.load_cv < b.ours.load_cv) == (a.measured.load_cv < b.measured.load_cv));
}

DropAndCv route_and_limit(const Scenario& s, double factor, std::int64_t tokens) {
    Routing r = route_one(s, tokens);
    const auto experts = static_cast<std::size_t>(s.model.experts);
    const Limited l =
        limit_load(r, static_cast<std::size_t>(s.model.top_k),
                   expert_capacity(factor, tokens, s.model.top_k, s.model.experts), experts, Overflow::drop);
    return {static_cast<double>(l.dropped) / static_cast<double>(l.chosen), load_balance(load_of(r, experts)).cv};
}

}  // namespace

TEST_CASE("two skewed experts, by hand", "[reproduction]") {
    // A popularity x, 1 - x of two experts: of two choices each expert gets one, so nothing is uneven.
    const double factor = 1;
    const DropAndCv two = expected_with_skew(2, 2, 1, {&factor, 1})[0];
    CHECK(two.drop_rate == Approx(0).margin(1e-9));
    CHECK(two.load_cv == Approx(0).margin(1e-9));
    // Hardly any skew: loads 1 + c z are dropped at CF 1 by E[max(c z, 0)] = c / sqrt(2 pi). For E experts that sum
    // to 1 and concentration a, c^2 = (E - 1) / (E a + 1), near (E - 1) / E (skew z')^2, and E|z'| = sqrt(2 / pi):
    // for 8 experts and skew 0.01 the drop rate is 0.01 sqrt(7 / 8) / pi = 0.002978.
    CHECK(expected_with_skew(8, 1, 0.01, {&factor, 1})[0].drop_rate == Approx(0.002978).epsilon(0.02));
}

TEST_CASE("hash drops nothing and loads all experts alike", "[reproduction]") {
    for (const std::int64_t experts : {8, 32})
        for (const double factor : {1.0, 1.25, 1.5}) {
            Scenario s = routing_scenario(experts, 2);
            s.routing.policy = Policy::hash;
            const DropAndCv hash = route_and_limit(s, factor, 2048);
            CHECK(hash.drop_rate == 0);
            CHECK(hash.load_cv == 0);
        }
    for (const MeasuredRun& r : measured_runs())
        if (policy_of(r.strategy) == Policy::hash) {
            CHECK(r.drop_rate == 0);
            CHECK(r.load_cv == 0);
        }
}

TEST_CASE("true expert choice drops nothing and loads all experts alike, however uneven their popularity",
          "[reproduction]") {
    for (const std::int64_t experts : {8, 32})
        for (const double factor : {1.0, 1.25, 1.5}) {
            Scenario s = routing_scenario(experts, 2);
            s.routing.policy = Policy::expert_choice;
            s.routing.capacity_factor = factor;
            s.routing.popularity.base = DirichletSpec{1};
            const DropAndCv choice = route_and_limit(s, factor, 2048);
            CHECK(choice.drop_rate == 0);
            CHECK(choice.load_cv == 0);
        }
}

TEST_CASE("routing tokens does what is expected of their popularity", "[reproduction]") {
    // 8192 tokens spread a load by about 1 / sqrt(2048): little beside popularities that differ by a third and more.
    const std::array<double, 2> factors = {1.0, 1.25};
    for (const auto& [policy, top_k, skew] :
         {std::tuple{Policy::softmax_topk, 2, 0.4}, {Policy::hard_topk, 2, 1.0}, {Policy::top1, 1, 1.4}}) {
        const auto expected = expected_with_skew(8, top_k, skew, factors);
        const auto routed = routed_with_skew(policy, 8, top_k, skew, factors);
        for (std::size_t f = 0; f < factors.size(); ++f) {
            CHECK(std::abs(routed[f].drop_rate - expected[f].drop_rate) <= 0.002);
            CHECK(std::abs(routed[f].load_cv - expected[f].load_cv) <= 0.005);
        }
    }
}

TEST_CASE("one skew a strategy reproduces drop rates and load CVs of training runs, and their order",
          "[reproduction]") {
    const auto runs = measured_runs();
    if (skip(runs)) return;
    const auto all = reproduce(runs);
    REQUIRE(all.size() == 20);  // four strategies: 8 experts, from 2 fits to 2 factors; 32 experts, 1 and 1
    for (const Reproduced& r : all) {
        INFO(r.measured.strategy << " of " << r.measured.experts << " at " << r.measured.capacity_factor
                                 << ", fitted at " << r.fitted_at);
        if (r.is_prediction())
            check_prediction(r);
        else
            check_fit(r);
        for (const Reproduced& other : all)
            if (&other != &r && other.measured.experts == r.measured.experts && other.fitted_at == r.fitted_at &&
                other.measured.capacity_factor == r.measured.capacity_factor)
                check_order(r, other);
    }
}

TEST_CASE("the soft strategies were trained to a more uneven load at capacity factor 1.25 than at 1.0",
          "[reproduction]") {
    // Let x be the loads over their mean at one point, D = mean(max(1 - x, 0)) the drop rate at CF 1 (as much is above
    // 1 as below), C the CV of min(x, 1), and d the drop rate at 1.25. With y = min(x, 1.25), whose mean is 1 - d:
    //     mean((1 - y)^2 where y < 1) = C^2 (1 - D)^2 + D^2      (y is min(x, 1) there; its mean is 1 - D)
    //     mean((y - 1)^2 where y > 1) <= 0.25 mean(max(y - 1, 0)) = 0.25 (D - d)
    //     so CV(y) <= sqrt(C^2 (1 - D)^2 + D^2 + (D - d) / 4 - d^2) / (1 - d),
    // whatever the law of x. Taken of the averages: 0.195 for softmax top-2 (measured 0.288), 0.239 for expert choice
    // (0.304). Averages over unlike points can exceed it, but no run at 1.25 that looks like the one at 1.0 will.
    const auto runs = measured_runs();
    if (skip(runs)) return;
    for (const MeasuredRun& one : runs)
        for (const MeasuredRun& more : runs) {
            if (one.strategy != more.strategy || policy_of(one.strategy) != Policy::softmax_topk) continue;
            if (one.capacity_factor != 1.0 || more.capacity_factor != 1.25) continue;
            const double kept = one.load_cv * (1 - one.drop_rate), drop = one.drop_rate, later = more.drop_rate;
            const double most = std::sqrt(kept * kept + drop * drop + (drop - later) / 4 - later * later) / (1 - later);
            CHECK(most < more.load_cv - cv_bar);
        }
}
