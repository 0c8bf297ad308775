#include <algorithm>
#include <cmath>
#include <numeric>

#include "support/catch.hpp"
#include "support/routing.hpp"
#include "workload/popularity.hpp"
#include "workload/source_tokens.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

Popularity make(const PopularitySpec& spec, std::int64_t experts, std::int64_t layers = 1, std::int64_t step = 0,
                std::int64_t positions = 1, std::uint64_t seed = 1) {
    RoutingSpec routing;
    routing.popularity = spec;
    routing.step = step;
    ModelSpec model;
    model.experts = experts;
    model.moe_layers = layers;
    ParallelismSpec parallelism;
    parallelism.data = parallelism.expert = positions;
    return {routing, model, parallelism, seed};
}

std::vector<double> layer(const Popularity& p, std::size_t l = 0) {
    const auto row = p.common(LayerId(l));
    return {row.begin(), row.end()};
}

double share_of_largest(std::vector<double> p, std::size_t count) {
    std::sort(p.rbegin(), p.rend());
    return std::accumulate(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(count), 0.0);
}

}  // namespace

TEST_CASE("Zipf popularity falls as 1 / r^s and its order differs between layers") {
    PopularitySpec spec;
    spec.base = ZipfSpec{1.0};
    const Popularity p = make(spec, 8, 2);
    std::vector<double> sorted = layer(p);
    std::sort(sorted.rbegin(), sorted.rend());
    const double harmonic = 1 + 1. / 2 + 1. / 3 + 1. / 4 + 1. / 5 + 1. / 6 + 1. / 7 + 1. / 8;
    for (std::size_t r = 0; r < 8; ++r) CHECK(sorted[r] == Approx(1.0 / static_cast<double>(r + 1) / harmonic));
    CHECK(layer(p, 0) != layer(p, 1));
}

TEST_CASE("drawn popularities have the moments of their distributions") {
    // 20,000 experts stand for as many draws; their mean is 1 after scaling by the count.
    constexpr std::int64_t n = 20'000;
    const auto squares = [](const PopularitySpec& spec) {
        double sum = 0;
        for (const double x : layer(make(spec, n))) sum += x * x * n;  // mean of x^2 over (mean of x)^2
        return sum;
    };
    PopularitySpec spec;
    // Dirichlet of concentration a: Gamma(a) variables over their sum; E x^2 / (E x)^2 = 1 + 1 / a.
    spec.base = DirichletSpec{0.5};
    CHECK(squares(spec) == Approx(3).epsilon(0.05));
    spec.base = DirichletSpec{4};
    CHECK(squares(spec) == Approx(1.25).epsilon(0.01));
    // Log-normal: exp(sigma^2).
    spec.base = LogNormalSpec{0.5};
    CHECK(squares(spec) == Approx(std::exp(0.25)).epsilon(0.02));
    // Density on [0, 1] in proportion to x^1 (exponent -1): E x = 2/3, E x^2 = 1/2, ratio 9/8.
    spec.base = PowerLawSpec{-1, 0, 1};
    CHECK(squares(spec) == Approx(1.125).epsilon(0.01));
    // In proportion to 1/x on [1, e]: E x = e - 1, E x^2 = (e^2 - 1) / 2, ratio 3.1945 / 2.9525 = 1.0820.
    spec.base = PowerLawSpec{1, 1, std::exp(1)};
    CHECK(squares(spec) == Approx(1.0820).epsilon(0.01));
    // x^-2 on [1, 10]: x = 1 / (1 - 0.9 u); E x = ln 10 / 0.9, E x^2 = 10; ratio 8.1 / 5.3019 = 1.5278.
    spec.base = PowerLawSpec{2, 1, 10};
    CHECK(squares(spec) == Approx(1.5278).epsilon(0.03));
}

TEST_CASE("steep laws leave proper popularities", "[popularity]") {
    PopularitySpec spec;
    for (const double exponent : {0.9999, 0.9999999999, 1.0, 1.0001, 900.0, -900.0}) {
        spec.base = PowerLawSpec{exponent, exponent < 1 ? 0 : 1e-6, 1e6};
        const auto p = layer(make(spec, 8));
        INFO(exponent);
        CHECK(std::accumulate(p.begin(), p.end(), 0.0) == Approx(1));
        for (const double x : p) CHECK(x > 0);
    }
    spec.base = DirichletSpec{0.01};
    for (std::size_t l = 0; l < 1000; ++l) {
        const auto p = layer(make(spec, 1, 1000), l);
        REQUIRE(p[0] == 1);
    }
}

TEST_CASE("hot experts take their share, and others do after they moved") {
    PopularitySpec spec;
    spec.hot_experts = HotExpertsSpec{2, 0.6, 10};
    const auto at = [&](std::int64_t step) { return layer(make(spec, 16, 1, step)); };
    CHECK(share_of_largest(at(0), 2) == Approx(0.6));
    CHECK(share_of_largest(at(0), 16) == Approx(1));
    CHECK(at(0) == at(9));
    CHECK(at(0) != at(10));
    CHECK(share_of_largest(at(10), 2) == Approx(0.6));
}

TEST_CASE("a hot rank's experts take their share together") {
    // Position 1 of 4 holds experts 2 and 3 of 8: weights 1 and 3 of 0.5.
    PopularitySpec spec = weights({1, 1, 1, 3, 1, 1, 1, 1});
    spec.hot_rank = HotRankSpec{1, 0.5};
    const auto p = layer(make(spec, 8, 1, 0, 4));
    CHECK(p[2] == Approx(0.125));
    CHECK(p[3] == Approx(0.375));
    CHECK(p[0] == Approx(0.5 / 6));
}

TEST_CASE("silent experts have no popularity") {
    PopularitySpec spec;
    spec.silent_experts = 3;
    spec.hot_experts = HotExpertsSpec{2, 0.5};
    const auto p = layer(make(spec, 8));
    CHECK(std::count(p.begin(), p.end(), 0.0) == 3);
    CHECK(share_of_largest(p, 2) == Approx(0.5));
}

TEST_CASE("drift is a random walk over steps") {
    // log p has moved by drift * (sum of `step` normals): over 5,000 experts its variance is drift^2 * step.
    PopularitySpec spec;
    spec.drift = 0.1;
    for (const std::int64_t step : {1, 9}) {
        const auto p = layer(make(spec, 5000, 1, step));
        double sum = 0, squares = 0;
        for (const double x : p) sum += std::log(x), squares += std::log(x) * std::log(x);
        const double mean = sum / 5000, variance = squares / 5000 - mean * mean;
        CHECK(variance == Approx(0.01 * static_cast<double>(step)).epsilon(0.1));
    }
    // One step more moves on from where the last one was.
    const auto near = layer(make(spec, 100, 1, 50)), next = layer(make(spec, 100, 1, 51));
    for (std::size_t e = 0; e < 100; ++e) CHECK(std::abs(std::log(next[e] / near[e])) < 0.6);
}

TEST_CASE("sources have mixes of their own, which are nobody's where the spread is 0") {
    PopularitySpec spec;
    spec.base = ZipfSpec{0.5};
    CHECK(make(spec, 8).of_source(LayerId(0), 3) == layer(make(spec, 8)));
    spec.source_spread = 0.4;
    const Popularity p = make(spec, 8);
    const auto a = p.of_source(LayerId(0), 0), b = p.of_source(LayerId(0), 1);
    CHECK(a != b);
    CHECK(std::accumulate(a.begin(), a.end(), 0.0) == Approx(1));
}

TEST_CASE("bursts give a share to a few experts in a part of the windows") {
    PopularitySpec spec;
    spec.bursts = BurstSpec{100, 0.25, 2, 0.9};
    const Popularity p = make(spec, 32);
    const auto mix = p.of_source(LayerId(0), 0);
    int bursts = 0;
    for (std::int64_t window = 0; window < 4000; ++window) {
        const auto w = p.in_window(mix, LayerId(0), 0, window);
        if (w == mix) continue;
        ++bursts;
        REQUIRE(share_of_largest(w, 2) == Approx(0.9));
    }
    CHECK(std::abs(bursts - 1000) <= 5 * std::sqrt(4000 * 0.25 * 0.75));
}

TEST_CASE("bursts and source mixes reach the tokens") {
    Scenario s = routing_scenario(8, 1);
    s.routing.popularity.bursts = BurstSpec{500, 1, 1, 0.95};
    const Routing r = route_one(s, 1000);
    Routing half;
    half.width = 1;
    half.experts.assign(r.experts.begin(), r.experts.begin() + 500);
    const auto load = load_of(half, 8);
    CHECK(*std::max_element(load.begin(), load.end()) > 440);  // of 475 expected, deviation 5
}

TEST_CASE("tokens are shared out by weight, and all of them") {
    Scenario s;
    s.batch.sequences = 100;
    s.batch.tokens_per_sequence = 10;
    s.parallelism.data = 4;
    s.batch.source_weights = {1, 2, 1, 4};  // of 8: 125, 250, 125, 500
    std::vector<std::int64_t> sizes;
    for (const Range r : source_tokens(s)) sizes.push_back(r.size());
    CHECK(sizes == std::vector<std::int64_t>{125, 250, 125, 500});
    s.batch.source_weights.clear();
    s.batch.source_spread = 0.5;
    std::int64_t end = 0;
    for (const Range r : source_tokens(s)) {
        CHECK(r.begin == end);
        CHECK(r.size() >= 0);
        end = r.end;
    }
    CHECK(end == 1000);
    CHECK(source_tokens(s)[0].size() != 250);
}
