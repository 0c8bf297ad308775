// Each routing policy against a hand-made case or a slow, obviously right reference.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/random.hpp"
#include "support/catch.hpp"
#include "support/routing.hpp"
#include "workload/bias_balanced_policy.hpp"
#include "workload/capacity.hpp"
#include "workload/dynamic_k_policy.hpp"
#include "workload/expert_choice_policy.hpp"
#include "workload/group_policy.hpp"
#include "workload/load.hpp"
#include "workload/null_expert_policy.hpp"
#include "workload/recurrent_policy.hpp"
#include "workload/sinkhorn_policy.hpp"
#include "workload/topk_policy.hpp"
#include "workload/trace_policy.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// Logits that are given, the same in every layer.
class GivenGate final : public Gate {
  public:
    explicit GivenGate(std::vector<std::vector<float>> logits) : logits_(std::move(logits)) {}
    [[nodiscard]] std::size_t experts() const override { return logits_.at(0).size(); }
    void logits(const TokenBatch& batch, Range part, std::span<float> out) const override {
        for (std::int64_t t = part.begin; t < part.end; ++t) {
            const auto& row = logits_.at(static_cast<std::size_t>(batch.tokens.begin + t));
            std::copy(row.begin(), row.end(), out.begin() + (t - part.begin) * static_cast<std::ptrdiff_t>(experts()));
        }
    }

  private:
    std::vector<std::vector<float>> logits_;  // [token][expert]
};

using Rows = std::vector<std::vector<ExpertIndex>>;

Rows rows(const Routing& r) {
    Rows all;
    for (std::size_t t = 0; t < r.tokens(); ++t) all.emplace_back(r.token(t).begin(), r.token(t).end());
    return all;
}

Routing route(const RoutingPolicy& policy, std::int64_t tokens, bool gates = false, const Routing* previous = nullptr,
              std::size_t layer = 0) {
    TokenBatch batch;
    batch.layer = LayerId(layer);
    batch.tokens = {0, tokens};
    batch.want_gates = gates;
    batch.previous = previous;
    Routing out;
    policy.route(batch, out);
    return out;
}

std::shared_ptr<const Gate> given(std::vector<std::vector<float>> logits) {
    return std::make_shared<GivenGate>(std::move(logits));
}

// Random logits, coarse enough for ties.
std::vector<std::vector<float>> random_logits(std::size_t tokens, std::size_t experts, std::uint64_t seed) {
    RandomStream random(77, seed);
    std::vector<std::vector<float>> all(tokens, std::vector<float>(experts));
    for (auto& row : all)
        for (float& l : row) l = 0.5F * static_cast<float>(random.below(12));
    return all;
}

std::vector<double> probabilities_of(const std::vector<float>& logits) {
    std::vector<double> p;
    double sum = 0;
    for (const float l : logits) p.push_back(std::exp(static_cast<double>(l))), sum += p.back();
    for (double& x : p) x /= sum;
    return p;
}

}  // namespace

TEST_CASE("softmax and hard top-k select alike and weigh differently") {
    // Logits ln 1, ln 2, ln 4: of the best two the weights are 4/6 and 2/6; hard top-k gives 1/2 each.
    const auto gate = given({{0, std::log(2.0F), std::log(4.0F)}});
    const Routing soft = route(TopkPolicy(gate, 2, GateWeights::softmax), 1, true);
    const Routing hard = route(TopkPolicy(gate, 2, GateWeights::equal), 1, true);
    CHECK(rows(soft) == Rows{{2, 1}});
    CHECK(rows(hard) == rows(soft));
    CHECK(soft.gates[0] == Approx(2. / 3));
    CHECK(soft.gates[1] == Approx(1. / 3));
    CHECK(hard.gates == std::vector<float>{0.5F, 0.5F});
}

TEST_CASE("hash routing by position loads all experts alike") {
    Scenario s = routing_scenario(6, 2);
    s.routing.policy = Policy::hash;
    CHECK(load_of(route_one(s, 300), 6) == std::vector<std::int64_t>(6, 100));
}

TEST_CASE("experts choose the tokens that want them most") {
    // Two tokens, two experts, c = ceil(1 * 2 * 1 / 2) = 1: both experts like token 0 by logit, but by probability
    // token 0 gives expert 0 e/(1+e) = 0.73 and expert 1 0.27, token 1 gives 0.5 each: expert 1 takes token 1.
    CHECK(rows(route(ExpertChoicePolicy(given({{2, 1}, {0, 0}}), 1, 1.0), 2)) == Rows{{0}, {1}});
    // Equal probabilities go to the earlier token, and it gets both experts; the width follows.
    CHECK(rows(route(ExpertChoicePolicy(given({{0, 0}, {0, 0}}), 1, 1.0), 2)) == Rows{{0, 1}, {no_expert, no_expert}});
}

TEST_CASE("expert choice agrees with the sort of all tokens by every expert") {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        const std::size_t tokens = 1 + seed % 37, experts = 2 + seed % 7, k = 1 + seed % 2;
        const double factor = 0.5 + 0.25 * static_cast<double>(seed % 6);
        const auto logits = random_logits(tokens, experts, seed);
        const Routing out = route(ExpertChoicePolicy(given(logits), k, factor), static_cast<std::int64_t>(tokens));
        const auto capacity = static_cast<std::size_t>(
            std::min<double>(std::ceil(factor * static_cast<double>(tokens * k) / static_cast<double>(experts) - 1e-9),
                             static_cast<double>(tokens)));
        std::vector<std::set<ExpertIndex>> expected(tokens), found(tokens);
        for (std::size_t e = 0; e < experts; ++e) {
            std::vector<std::size_t> order(tokens);
            std::iota(order.begin(), order.end(), std::size_t{0});
            std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
                // floats, as the policy compares: equal logits rows give equal probabilities
                return static_cast<float>(probabilities_of(logits[a])[e]) -
                           static_cast<float>(probabilities_of(logits[b])[e]) >
                       1e-7F;
            });
            for (std::size_t i = 0; i < capacity; ++i) expected[order[i]].insert(static_cast<ExpertIndex>(e));
        }
        for (std::size_t t = 0; t < tokens; ++t)
            for (const ExpertIndex e : out.token(t))
                if (e != no_expert) found[t].insert(e);
        INFO(seed);
        CHECK(found == expected);
        const auto load = load_of(out, experts);
        CHECK(load == std::vector<std::int64_t>(experts, static_cast<std::int64_t>(capacity)));
    }
}

TEST_CASE("Sinkhorn's iteration agrees with the plain one and evens out rows and columns") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const std::size_t n = 20 + seed, m = 4 + seed % 3;
        const auto logits = random_logits(n, m, 1000 + seed);
        Matrix<float> fast(n, m);
        std::vector<std::vector<double>> slow(n, std::vector<double>(m));
        for (std::size_t r = 0; r < n; ++r)
            for (std::size_t c = 0; c < m; ++c) fast(r, c) = logits[r][c], slow[r][c] = std::exp(logits[r][c]);
        CHECK(balance(fast, 1e-5, 10'000) < 10'000);
        for (int round = 0; round < 3000; ++round) {
            for (auto& row : slow) {
                const double sum = std::accumulate(row.begin(), row.end(), 0.0);
                for (double& x : row) x /= sum;
            }
            for (std::size_t c = 0; c < m; ++c) {
                double sum = 0;
                for (const auto& row : slow) sum += row[c];
                for (auto& row : slow) row[c] *= static_cast<double>(n) / static_cast<double>(m) / sum;
            }
        }
        for (std::size_t c = 0; c < m; ++c) {
            double column = 0;
            for (std::size_t r = 0; r < n; ++r) {
                column += static_cast<double>(fast(r, c));
                CHECK(std::abs(static_cast<double>(fast(r, c)) - slow[r][c]) < 1e-3);
            }
            CHECK(column == Approx(static_cast<double>(n) / static_cast<double>(m)).epsilon(1e-3));
        }
    }
}

TEST_CASE("Sinkhorn-balanced routing is more even than top-k of the same gate") {
    Scenario s = routing_scenario(16, 2);
    s.routing.popularity.base = ZipfSpec{1};
    const double plain = load_balance(load_of(route_one(s, 4000), 16)).cv;
    s.routing.policy = Policy::sinkhorn;
    const double balanced = load_balance(load_of(route_one(s, 4000), 16)).cv;
    CHECK(plain > 0.5);
    CHECK(balanced < 0.1);
}

TEST_CASE("the bias moves by the rate, against the load") {
    // Mean 2: 3 is too much, 1 too little, 2 just right.
    std::vector<float> bias = {0.5F, 0, 0};
    move_bias(std::vector<std::int64_t>{3, 1, 2}, 0.1F, bias);
    CHECK(bias[0] == Approx(0.4));
    CHECK(bias[1] == Approx(0.1));
    CHECK(bias[2] == 0);
}

TEST_CASE("the bias feedback evens out the load, step by step") {
    Scenario s = routing_scenario(16, 2);
    s.routing.policy = Policy::bias_balanced;
    s.routing.popularity.base = ZipfSpec{1};
    const auto cv_after = [&](std::int64_t steps) {
        s.routing.bias = {0.01, steps, 512};
        return load_balance(load_of(route_one(s, 8000), 16)).cv;
    };
    const double before = cv_after(0), some = cv_after(20), many = cv_after(200);
    CHECK(before > 0.5);
    CHECK(some < 0.8 * before);
    CHECK(many < 0.2 * before);
}

TEST_CASE("the bias balances sources of different mixes together") {
    Scenario s = routing_scenario(16, 2);
    s.routing.popularity.base = ZipfSpec{0.5};
    s.routing.popularity.source_spread = 1;
    s.parallelism.data = 8;
    const auto cv = [&] {
        const auto policy = make_policy(s);
        std::vector<std::int64_t> load(16);
        for (std::size_t source = 0; source < 8; ++source) {
            const auto one = load_of(route_layers(*policy, 2000, 1, false, source)[0], 16);
            for (std::size_t e = 0; e < 16; ++e) load[e] += one[e];
        }
        return load_balance(load).cv;
    };
    const double plain = cv();
    s.routing.policy = Policy::bias_balanced;
    s.routing.bias = {0.01, 200, 512};
    CHECK(plain > 0.3);
    CHECK(cv() < 0.3 * plain);
}

TEST_CASE("group-limited routing keeps to the best groups") {
    // Four groups of two; softmax ranks like logits. By the best: groups 1 (5) and 3 (4.9). By the sum of two: group
    // 0 (4.8 twice: 2 e^4.8 = 243) and group 3 (4.9 and 4.85: 262), group 1 (e^5 + e^0 = 149).
    const auto gate = given({{4.8F, 4.8F, 5, 0, 1, 1, 4.9F, 4.85F}});
    GroupSpec groups{1, 1, 4, 2, GroupScore::max};
    CHECK(rows(route(GroupPolicy(gate, 3, groups), 1)) == Rows{{2, 6, 7}});
    groups.score = GroupScore::top2_sum;
    CHECK(rows(route(GroupPolicy(gate, 3, groups), 1)) == Rows{{6, 7, 0}});
}

TEST_CASE("hierarchical routing chooses tiers, then groups, then experts") {
    // Two tiers of two groups of two. Tier 0 has the single best group (0: 9, 0), tier 1 the next two (5, 5) and (4,
    // 4).
    const auto gate = given({{9, 0, 1, 1, 5, 5, 4, 4}});
    GroupSpec groups{2, 1, 4, 2, GroupScore::max};
    CHECK(rows(route(GroupPolicy(gate, 3, groups), 1)) == Rows{{0, 2, 3}});  // all of tier 0
    groups.chosen_tiers = 2;
    CHECK(rows(route(GroupPolicy(gate, 3, groups), 1)) == Rows{{0, 4, 5}});  // the two best groups of both
}

TEST_CASE("group-limited routing agrees with the definition on random logits") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const std::size_t per_group = 2 + seed % 3, groups = 2 + seed % 4, keep = 1 + seed % groups;
        const std::size_t k = 1 + seed % (keep * per_group);
        const auto logits = random_logits(1, per_group * groups, 5000 + seed)[0];
        std::vector<double> best(groups, -1);
        for (std::size_t e = 0; e < logits.size(); ++e)
            best[e / per_group] = std::max(best[e / per_group], static_cast<double>(logits[e]));
        std::vector<std::size_t> order(groups);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return best[a] > best[b]; });
        std::vector<ExpertIndex> allowed;
        for (std::size_t e = 0; e < logits.size(); ++e)
            if (std::find(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), e / per_group) !=
                order.begin() + static_cast<std::ptrdiff_t>(keep))
                allowed.push_back(static_cast<ExpertIndex>(e));
        std::stable_sort(allowed.begin(), allowed.end(), [&](auto a, auto b) { return logits[a] > logits[b]; });
        allowed.resize(k);
        const GroupSpec spec{1, 1, static_cast<std::int64_t>(groups), static_cast<std::int64_t>(keep), GroupScore::max};
        CHECK(rows(route(GroupPolicy(given({logits}), k, spec), 1)) == Rows{allowed});
    }
}

TEST_CASE("a token takes experts until their probabilities reach the threshold") {
    // Probabilities 0.5, 0.25, 0.125, 0.125.
    const auto gate = given({{std::log(4.0F), std::log(2.0F), 0, 0}});
    const auto count = [&](double threshold, std::int64_t least = 1) {
        const DynamicKSpec spec{threshold, least, Schedule::uniform};
        const Routing r = route(DynamicKPolicy(gate, 3, 1, spec), 1);
        return 3 - std::count(r.experts.begin(), r.experts.end(), no_expert);
    };
    CHECK(count(0.4) == 1);
    CHECK(count(0.6) == 2);
    CHECK(count(0.8) == 3);
    CHECK(count(1) == 3);  // top_k is the most
    CHECK(count(0.4, 2) == 2);
    CHECK(count(0) == 1);
}

TEST_CASE("k follows its schedule over the layers") {
    const auto run = [](Schedule s, std::size_t layers) {
        std::vector<std::size_t> k;
        for (std::size_t l = 0; l < layers; ++l) k.push_back(scheduled_k(s, 2, 8, l, layers));
        return k;
    };
    using Ks = std::vector<std::size_t>;
    CHECK(run(Schedule::uniform, 3) == Ks{8, 8, 8});
    CHECK(run(Schedule::descending, 4) == Ks{8, 6, 4, 2});
    CHECK(run(Schedule::ascending, 4) == Ks{2, 4, 6, 8});
    CHECK(run(Schedule::pyramid, 5) == Ks{2, 5, 8, 5, 2});
    CHECK(run(Schedule::wave, 6) == Ks{8, 5, 2, 5, 8, 5});  // cos 0, 90, 180, 270, ...
    for (const Schedule s : {Schedule::uniform, Schedule::descending, Schedule::ascending, Schedule::pyramid})
        CHECK(run(s, 1) == Ks{8});
}

TEST_CASE("null experts take their share of the first choices") {
    // Top-1 of 4 experts and 3 null ones that have 0.3 together: 30% of the tokens get nothing.
    Scenario s = routing_scenario(4, 1);
    s.routing.policy = Policy::null_experts;
    s.routing.nulls = {3, 0.3};
    constexpr std::int64_t tokens = 100'000;
    const Routing r = route_one(s, tokens);
    const auto empty = static_cast<double>(std::count(r.experts.begin(), r.experts.end(), no_expert));
    CHECK(std::abs(empty - 0.3 * tokens) <= 5 * std::sqrt(tokens * 0.21));
    s.routing.nulls.share = 0;
    const Routing none = route_one(s, 1000);
    CHECK(std::count(none.experts.begin(), none.experts.end(), no_expert) == 0);
}

TEST_CASE("a recurrent router favours what it chose before") {
    const auto gate = given({{1, 0.9F, 0.5F, 0}});
    Routing previous;
    previous.width = 1;
    previous.experts = {2};
    CHECK(rows(route(RecurrentPolicy(gate, 1, 0.4), 1, false, &previous, 1)) == Rows{{0}});  // 0.9 < 1
    CHECK(rows(route(RecurrentPolicy(gate, 1, 0.6), 1, false, &previous, 1)) == Rows{{2}});  // 1.1 > 1
    CHECK(rows(route(RecurrentPolicy(gate, 1, 0.6), 1)) == Rows{{0}});                       // nothing before
}

TEST_CASE("a part of the tokens skips the layer, and the others notice nothing") {
    Scenario s = routing_scenario(8, 2, 2);
    const Routing all = route_one(s, 20'000, 1);
    s.routing.skipped = {0, 0.25};
    CHECK(route_one(s, 100, 0).experts == route_one(routing_scenario(8, 2, 2), 100, 0).experts);
    const Routing some = route_one(s, 20'000, 1);
    double skipped = 0;
    for (std::size_t t = 0; t < some.tokens(); ++t) {
        if (some.token(t)[0] == no_expert) {
            ++skipped;
            REQUIRE(some.token(t)[1] == no_expert);
        } else {
            REQUIRE(std::equal(some.token(t).begin(), some.token(t).end(), all.token(t).begin()));
        }
    }
    CHECK(std::abs(skipped - 5000) <= 5 * std::sqrt(20'000 * 0.1875));
}

TEST_CASE("a trace is replayed token by token, from the start again where it ends") {
    auto trace = std::make_shared<RoutingTrace>();
    trace->origin = "t.npy";
    trace->tokens = 2, trace->layers = 2, trace->top_k = 1, trace->experts = 3;
    trace->choices = {0, 1, 2, 0};  // [token][layer]
    trace->source_begin = {0};
    Scenario s = routing_scenario(4, 1, 2);
    s.routing.policy = Policy::trace;
    const auto policy = make_policy(s, trace);
    CHECK(rows(route(*policy, 3)) == Rows{{0}, {2}, {0}});
    CHECK(rows(route(*policy, 3, false, nullptr, 1)) == Rows{{1}, {0}, {1}});
    s.model.moe_layers = 3;
    CHECK_THROWS_WITH(make_policy(s, trace),
                      "t.npy: found 2 tokens, 2 layers, top-1 of 3 experts, expected at least 1 token, 3 layers, top-1 "
                      "of 4 experts, the scenario's model");
}
