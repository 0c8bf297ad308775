// Logits and direct draws: what tokens want, before a policy selects.
#include <cmath>

#include "base/random.hpp"
#include "support/catch.hpp"
#include "support/routing.hpp"
#include "workload/gate.hpp"
#include "workload/topk.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

Routing draw(const Scenario& s, std::int64_t tokens, std::size_t count, bool gates = false) {
    TokenBatch batch;
    batch.tokens = {0, tokens};
    batch.want_gates = gates;
    Routing out;
    make_gate(s)->draw(batch, count, out);
    return out;
}

// The slow way, which is the same in law: all logits, then selection.
Routing draw_from_logits(const Scenario& s, std::int64_t tokens, std::size_t count, bool gates = false) {
    TokenBatch batch;
    batch.tokens = {0, tokens};
    batch.want_gates = gates;
    Routing out;
    make_gate(s)->Gate::draw(batch, count, out);
    return out;
}

// P(first = a, second = b) when drawing without replacement: p_a p_b / (1 - p_a).
double pair_probability(const std::vector<double>& p, std::size_t a, std::size_t b) { return p[a] * p[b] / (1 - p[a]); }

void check_pairs(const Routing& chosen, const std::vector<double>& p) {
    const auto tokens = static_cast<double>(chosen.tokens());
    Matrix<double> counts(p.size(), p.size());
    for (std::size_t t = 0; t < chosen.tokens(); ++t) ++counts(chosen.token(t)[0], chosen.token(t)[1]);
    for (std::size_t a = 0; a < p.size(); ++a)
        for (std::size_t b = 0; b < p.size(); ++b) {
            const double q = a == b ? 0 : pair_probability(p, a, b);
            CHECK(std::abs(counts(a, b) - q * tokens) <= 5 * std::sqrt(tokens * q * (1 - q)));
        }
}

double mean_entropy(const Routing& r) {
    double sum = 0;
    for (const float g : r.gates)
        if (g > 0) sum -= static_cast<double>(g) * std::log(static_cast<double>(g));
    return sum / static_cast<double>(r.tokens());
}

}  // namespace

TEST_CASE("draws and logits follow the distribution of perturbed logits, pair by pair") {
    // Two of five without replacement: ordered pairs, P(a, b) = p_a p_b / (1 - p_a).
    const std::vector<double> p = {0.4, 0.25, 0.2, 0.1, 0.05};
    Scenario s = routing_scenario(5, 2);
    s.seed = 3;
    s.routing.popularity = weights(p);
    check_pairs(draw(s, 300'000, 2), p);
    check_pairs(draw_from_logits(s, 300'000, 2), p);
}

TEST_CASE("where one expert holds nearly all, the others are still drawn in proportion") {
    // After expert 0, the rest are 2 : 1 : 1; rejection alone would take a million draws each.
    Scenario s = routing_scenario(4, 2);
    s.routing.popularity = weights({1 - 4e-6, 2e-6, 1e-6, 1e-6});
    constexpr std::int64_t tokens = 40'000;
    const Routing chosen = draw(s, tokens, 2);
    std::vector<double> second(4);
    for (std::size_t t = 0; t < chosen.tokens(); ++t) ++second[chosen.token(t)[1]];
    CHECK(std::abs(second[1] - 0.5 * tokens) <= 5 * std::sqrt(tokens * 0.25));
    CHECK(std::abs(second[2] - 0.25 * tokens) <= 5 * std::sqrt(tokens * 0.1875));
}

TEST_CASE("weights of directly drawn experts have the law of the softmax of their logits") {
    Scenario s = routing_scenario(8, 3);
    s.routing.popularity.base = ZipfSpec{1};
    const Routing fast = draw(s, 100'000, 3, true), slow = draw_from_logits(s, 100'000, 3, true);
    for (const Routing* r : {&fast, &slow})
        for (std::size_t t = 0; t < r->tokens(); ++t) {
            const float* g = r->gates.data() + t * 3;
            REQUIRE(g[0] + g[1] + g[2] == Approx(1).epsilon(1e-5));
            REQUIRE((g[0] >= g[1] && g[1] >= g[2]));
        }
    // An entropy is between 0 and ln 3; the mean of 100,000 has a standard deviation below 0.0018.
    CHECK(std::abs(mean_entropy(fast) - mean_entropy(slow)) < 0.012);
}

TEST_CASE("affinity s keeps a token's place in the order of popularity with probability s") {
    // Uniform popularity over n = 4 experts: the first choice goes on to the expert of the same place with probability
    // s + (1 - s) / 4, to each other one with (1 - s) / 4. Here places are ids. s = 0.6: 0.7 and 0.1.
    Scenario s = routing_scenario(4, 1, 2);
    s.routing.affinity = 0.6;
    constexpr std::int64_t tokens = 100'000;
    const auto layers = route_layers(*make_policy(s), tokens, 2);
    double same = 0;
    for (std::size_t t = 0; t < tokens; ++t) same += layers[0].token(t)[0] == layers[1].token(t)[0] ? 1 : 0;
    CHECK(std::abs(same - 0.7 * tokens) <= 5 * std::sqrt(tokens * 0.21));
    s.routing.affinity = 1;
    const auto fixed = route_layers(*make_policy(s), 100, 2);
    CHECK(fixed[0].experts == fixed[1].experts);
}

TEST_CASE("affinity changes no layer's popularity") {
    Scenario s = routing_scenario(4, 1, 3);
    s.routing.popularity = weights({0.4, 0.3, 0.2, 0.1});
    s.routing.affinity = 0.8;
    constexpr std::int64_t tokens = 100'000;
    const auto layers = route_layers(*make_policy(s), tokens, 3);
    const auto load = load_of(layers[2], 4);
    for (std::size_t e = 0; e < 4; ++e) {
        const double p = 0.4 - 0.1 * static_cast<double>(e);
        CHECK(std::abs(static_cast<double>(load[e]) - p * tokens) <= 5 * std::sqrt(tokens * p * (1 - p)));
    }
}

TEST_CASE("normal noise of deviation 0 leaves the popularity's own order") {
    Scenario s = routing_scenario(4, 2);
    s.routing.popularity = weights({1, 4, 2, 3});
    s.routing.gaussian_noise = 0;
    const Routing r = draw(s, 10, 2);
    for (std::size_t t = 0; t < 10; ++t) {
        CHECK(r.token(t)[0] == 1);
        CHECK(r.token(t)[1] == 3);
    }
}
