#include <algorithm>
#include <cmath>
#include <set>

#include "support/catch.hpp"
#include "support/scenarios.hpp"
#include "workload/alias_table.hpp"
#include "workload/capacity.hpp"
#include "workload/hash_policy.hpp"
#include "workload/load.hpp"
#include "workload/popularity.hpp"
#include "workload/softmax_topk_policy.hpp"
#include "workload/topk.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

std::vector<ExpertIndex> route_all(const RoutingPolicy& policy, std::int64_t tokens, std::size_t top_k,
                                   std::size_t layer = 0) {
    std::vector<ExpertIndex> out(static_cast<std::size_t>(tokens) * top_k);
    policy.route(LayerId(layer), {0, tokens}, out);
    return out;
}

Matrix<double> one_layer(const std::vector<double>& popularity) {
    Matrix<double> m(1, popularity.size());
    for (std::size_t e = 0; e < popularity.size(); ++e) m(0, e) = popularity[e];
    return m;
}

// P(first = a, second = b) when drawing without replacement: p_a p_b / (1 - p_a).
double pair_probability(const std::vector<double>& p, std::size_t a, std::size_t b) { return p[a] * p[b] / (1 - p[a]); }

}  // namespace

TEST_CASE("selection takes the largest, and of equal ones the lower id") {
    const std::vector<double> logits = {1, 3, 2, 3, 3, 0};
    std::vector<ExpertIndex> chosen(4);
    select_topk(logits, chosen);
    CHECK(chosen == std::vector<ExpertIndex>{1, 3, 4, 2});
    const std::vector<double> equal(6, 7.0);
    std::vector<ExpertIndex> all(6);
    select_topk(equal, all);
    CHECK(all == std::vector<ExpertIndex>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("selection agrees with a stable sort") {
    RandomStream random(1, 1);
    for (int round = 0; round < 500; ++round) {
        std::vector<double> logits(1 + random.below(40));
        for (double& l : logits) l = random.below(8);  // many ties
        std::vector<ExpertIndex> order(logits.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<ExpertIndex>(i);
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return logits[a] > logits[b]; });
        std::vector<ExpertIndex> chosen(1 + random.below(static_cast<std::uint32_t>(logits.size())));
        select_topk(logits, chosen);
        order.resize(chosen.size());
        CHECK(chosen == order);
    }
}

TEST_CASE("an alias table draws in proportion to the weights and never what has none") {
    const std::vector<double> weights = {0, 5, 0, 1, 2, 0};
    const AliasTable table(weights);
    RandomStream random(7, 0);
    std::vector<double> counts(weights.size());
    constexpr int draws = 400'000;
    for (int i = 0; i < draws; ++i) ++counts[table.draw(random)];
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const double p = weights[i] / 8;
        if (p == 0) CHECK(counts[i] == 0);
        // five standard deviations of a binomial count
        CHECK(std::abs(counts[i] - p * draws) <= 5 * std::sqrt(draws * p * (1 - p)));
    }
}

TEST_CASE("softmax top-k follows the distribution of perturbed logits, pair by pair") {
    // Two of four without replacement: twelve ordered pairs, P(a, b) = p_a p_b / (1 - p_a).
    const std::vector<double> p = {0.5, 0.25, 0.15, 0.1};
    constexpr std::int64_t tokens = 300'000;
    const auto chosen = route_all(SoftmaxTopkPolicy(one_layer(p), 2, 3), tokens, 2);
    Matrix<double> counts(4, 4);
    for (std::size_t t = 0; t < chosen.size(); t += 2) ++counts(chosen[t], chosen[t + 1]);
    for (std::size_t a = 0; a < 4; ++a)
        for (std::size_t b = 0; b < 4; ++b) {
            const double q = a == b ? 0 : pair_probability(p, a, b);
            CHECK(std::abs(counts(a, b) - q * tokens) <= 5 * std::sqrt(tokens * q * (1 - q)));
        }
}

TEST_CASE("drawing the chosen and materialising all logits give the same distribution") {
    // The reference writes out log p + Gumbel for every expert and takes the top two: slow and obviously right.
    const std::vector<double> p = {0.4, 0.3, 0.2, 0.05, 0.05};
    constexpr std::int64_t tokens = 100'000;
    const auto fast = route_all(SoftmaxTopkPolicy(one_layer(p), 2, 11), tokens, 2);
    std::vector<double> load_fast(5), load_slow(5);
    for (const ExpertIndex e : fast) ++load_fast[e];
    RandomStream random(5, 5);
    for (std::int64_t t = 0; t < tokens; ++t) {
        std::vector<double> logits(5);
        for (std::size_t e = 0; e < 5; ++e) logits[e] = std::log(p[e]) - std::log(-std::log(1 - random.uniform()));
        std::vector<ExpertIndex> chosen(2);
        select_topk(logits, chosen);
        for (const ExpertIndex e : chosen) ++load_slow[e];
    }
    // Each count has a standard deviation below sqrt(tokens / 4); the difference of two below sqrt(tokens / 2).
    for (std::size_t e = 0; e < 5; ++e)
        CHECK(std::abs(load_fast[e] - load_slow[e]) <= 5 * std::sqrt(static_cast<double>(tokens) / 2));
}

TEST_CASE("where one expert holds nearly all, the others are still drawn in proportion") {
    // After expert 0, the rest are 2 : 1 : 1; rejection alone would take a million draws each.
    const std::vector<double> p = {1 - 4e-6, 2e-6, 1e-6, 1e-6};
    constexpr std::int64_t tokens = 40'000;
    const auto chosen = route_all(SoftmaxTopkPolicy(one_layer(p), 2, 9), tokens, 2);
    std::vector<double> second(4);
    for (std::size_t t = 0; t < chosen.size(); t += 2) ++second[chosen[t + 1]];
    CHECK(std::abs(second[1] - 0.5 * tokens) <= 5 * std::sqrt(tokens * 0.25));
    CHECK(std::abs(second[2] - 0.25 * tokens) <= 5 * std::sqrt(tokens * 0.1875));
}

TEST_CASE("policies choose distinct experts, reproducibly, in any split of the tokens") {
    constexpr std::size_t experts = 16, top_k = 4;
    const auto tiny_model = [] {
        ModelSpec m;
        m.moe_layers = 2;
        m.experts = experts;
        return m;
    }();
    const auto popularity = layer_popularities(ZipfSpec{1.2}, tiny_model, 4);
    const SoftmaxTopkPolicy gumbel(popularity, top_k, 4);
    const GaussianTopkPolicy gaussian(popularity, top_k, 1.0, 4);
    const HashPolicy hash(experts, top_k, 4);
    for (const RoutingPolicy* policy :
         {static_cast<const RoutingPolicy*>(&gumbel), static_cast<const RoutingPolicy*>(&gaussian),
          static_cast<const RoutingPolicy*>(&hash)}) {
        const auto whole = route_all(*policy, 1000, top_k, 1);
        for (std::size_t t = 0; t < whole.size(); t += top_k) {
            const std::set<ExpertIndex> distinct(whole.begin() + static_cast<std::ptrdiff_t>(t),
                                                 whole.begin() + static_cast<std::ptrdiff_t>(t + top_k));
            CHECK(distinct.size() == top_k);
            CHECK(*distinct.rbegin() < experts);
        }
        std::vector<ExpertIndex> part(300 * top_k);
        policy->route(LayerId(1), {500, 800}, part);
        CHECK(std::equal(part.begin(), part.end(), whole.begin() + 500 * top_k));
        CHECK(route_all(*policy, 1000, top_k, 0) != whole);  // layers differ
    }
}

TEST_CASE("Zipf popularity falls as 1 / r^s and its order differs between layers") {
    ModelSpec m;
    m.moe_layers = 2;
    m.experts = 8;
    const auto p = layer_popularities(ZipfSpec{1.0}, m, 1);
    std::vector<double> sorted(p.row(0).begin(), p.row(0).end());
    std::sort(sorted.rbegin(), sorted.rend());
    const double harmonic = 1 + 1. / 2 + 1. / 3 + 1. / 4 + 1. / 5 + 1. / 6 + 1. / 7 + 1. / 8;
    for (std::size_t r = 0; r < 8; ++r) CHECK(sorted[r] == Approx(1.0 / static_cast<double>(r + 1) / harmonic));
    CHECK_FALSE(std::equal(p.row(0).begin(), p.row(0).end(), p.row(1).begin()));
}

TEST_CASE("hash routing by position loads all experts alike") {
    const auto chosen = route_all(HashPolicy(6, 2, 1), 300, 2);
    std::vector<int> load(6);
    for (const ExpertIndex e : chosen) ++load[e];
    CHECK(load == std::vector<int>(6, 100));
}

TEST_CASE("capacity is ceil(CF N k / E), and overflow is dropped in arrival order") {
    CHECK(expert_capacity(1.25, 10, 2, 8) == 4);  // ceil(1.25 * 2.5) = ceil(3.125)
    CHECK(expert_capacity(1.0, 16, 1, 4) == 4);
    CHECK(expert_capacity(1.1, 400, 1, 4) == 110);  // not 111, although 1.1 * 100 is a little more than 110 in doubles
    std::vector<ExpertIndex> choices = {0, 1, 0, 2, 0, 1, 0, 3};  // four tokens, top-2
    CHECK(drop_overflow(choices, 2, 4) == 2);
    CHECK(choices == std::vector<ExpertIndex>{0, 1, 0, 2, no_expert, 1, no_expert, 3});
}

TEST_CASE("load balance of a hand-made load") {
    // 1, 3, 2, 2: mean 2, deviations 1, 1, 0, 0: std = sqrt(2 / 4); CV = 0.35355; max / mean = 1.5.
    const std::vector<std::int64_t> load = {1, 3, 2, 2};
    CHECK(load_balance(load).cv == Approx(std::sqrt(0.5) / 2));
    CHECK(load_balance(load).max_over_mean == Approx(1.5));
    CHECK(load_balance(std::vector<std::int64_t>(4)).cv == 0);
}
