#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "planner/affinity_placement.hpp"
#include "study/fidelity.hpp"
#include "support/catch.hpp"
#include "support/routing.hpp"
#include "workload/fit.hpp"
#include "workload/generate.hpp"
#include "workload/load.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

RoutingTrace trace_of(std::size_t layers, std::size_t top_k, std::size_t experts, std::vector<ExpertIndex> choices) {
    RoutingTrace t;
    t.origin = "by hand";
    t.layers = layers, t.top_k = top_k, t.experts = experts;
    t.tokens = choices.size() / layers / top_k;
    t.choices = std::move(choices);
    t.source_begin = {0};
    return t;
}

// What a scenario's policy makes of tokens of one source, as if it had been recorded.
RoutingTrace recorded(const Scenario& s, std::int64_t tokens) {
    const auto layers = static_cast<std::size_t>(s.model.moe_layers), k = static_cast<std::size_t>(s.model.top_k);
    const auto routed = route_layers(*make_policy(s), tokens, layers);
    std::vector<ExpertIndex> choices;
    for (std::size_t t = 0; t < static_cast<std::size_t>(tokens); ++t)
        for (const Routing& r : routed) choices.insert(choices.end(), r.token(t).begin(), r.token(t).end());
    return trace_of(layers, k, static_cast<std::size_t>(s.model.experts), std::move(choices));
}

Scenario chained(double affinity) {
    Scenario s = routing_scenario(8, 2, 3);
    s.routing.popularity.base = ZipfSpec{0.7};
    s.routing.affinity = affinity;
    return s;
}

}  // namespace

TEST_CASE("a model fitted to a chain of known affinity makes the same load and information", "[fit]") {
    const RoutingTrace trace = recorded(chained(0.6), 20'000);
    const WorkloadModel model = fit_workload(trace, {});
    const Fidelity f = compare(generate(model, 20'000, 9), trace, affinity_placement(trace, 8));
    CHECK(f.load_cv.worst_error() < 0.05);
    CHECK(f.information.worst_error() < 0.1);
    CHECK(f.information.real[0] > 0.5);
    // Here a token's two choices go on together or not at all, which no sum of single ratios says in full.
    FitOptions alone;
    alone.transitions = false;
    const Fidelity g = compare(generate(fit_workload(trace, alone), 20'000, 9), trace, affinity_placement(trace, 8));
    CHECK(f.adjacent_optimised < 0.2);
    CHECK(g.adjacent_optimised > 3 * f.adjacent_optimised);
}

TEST_CASE("a model fitted to independent layers carries no information between them", "[fit]") {
    const RoutingTrace trace = recorded(chained(0), 20'000);
    const Fidelity f = compare(generate(fit_workload(trace, {}), 20'000, 9), trace, affinity_placement(trace, 8));
    for (const double nats : f.information.made) CHECK(nats < 0.01);  // 49 / 40,000 of it is bias
}

TEST_CASE("a model keeps the sources' own mixes", "[fit]") {
    // The first half of the tokens prefers experts 0..3, the second half 4..7.
    Scenario a = routing_scenario(8, 2, 2), b = a;
    a.routing.popularity = weights({4, 4, 4, 4, 1, 1, 1, 1});
    b.routing.popularity = weights({1, 1, 1, 1, 4, 4, 4, 4});
    RoutingTrace trace = recorded(a, 4000);
    const RoutingTrace second = recorded(b, 4000);
    trace.choices.insert(trace.choices.end(), second.choices.begin(), second.choices.end());
    trace.tokens = 8000;
    const RoutingTrace made = generate(fit_workload(trace, {}), 8000, 5);
    const auto low_share = [](const RoutingTrace& t, std::size_t from) {
        double low = 0;
        for (std::size_t token = from; token < from + 4000; ++token)
            for (const ExpertIndex e : t.at(token, 1)) low += e < 4 ? 1 : 0;
        return low / 8000;
    };
    CHECK(low_share(made, 0) == Approx(low_share(trace, 0)).margin(0.03));
    CHECK(low_share(made, 4000) == Approx(low_share(trace, 4000)).margin(0.03));
    CHECK(low_share(trace, 0) - low_share(trace, 4000) > 0.3);
}

TEST_CASE("loads alone give a model that has them", "[fit]") {
    LoadTable loads;
    loads.load = Matrix<double>(1, 4);
    const std::vector<double> row = {400, 300, 200, 100};
    for (std::size_t e = 0; e < 4; ++e) loads.load(0, e) = row[e];
    const RoutingTrace made = generate(fit_popularity(loads, 2, {}), 50'000, 3);
    std::vector<double> share(4);
    for (const ExpertIndex e : made.choices) share[e] += 1.0 / 100'000;
    for (std::size_t e = 0; e < 4; ++e) CHECK(share[e] == Approx(row[e] / 1000).margin(0.015));
}

TEST_CASE("null experts take their share beside a learned model, too", "[fit]") {
    // Top-1 with half of the popularity on null experts: half of the tokens get nothing.
    Scenario s = routing_scenario(8, 1, 2);
    s.routing.popularity.base = ZipfSpec{1};
    s.routing.model = std::make_shared<const WorkloadModel>(fit_workload(recorded(s, 5000), {}));
    s.routing.policy = Policy::null_experts;
    s.routing.nulls = {4, 0.5};
    const auto layers = route_layers(*make_policy(s), 20'000, 2);
    for (const Routing& r : layers) {
        const auto empty = static_cast<double>(std::count(r.experts.begin(), r.experts.end(), no_expert));
        CHECK(empty / 20'000 == Approx(0.5).margin(0.02));
    }
}

TEST_CASE("every policy with a gate works with a learned model", "[fit]") {
    Scenario s = routing_scenario(8, 2, 3);
    s.routing.popularity.base = ZipfSpec{1};
    s.routing.model = std::make_shared<const WorkloadModel>(fit_workload(recorded(s, 2000), {}));
    s.routing.groups = {1, 1, 4, 2, GroupScore::top2_sum};
    s.routing.bias = {0.01, 5, 64};
    s.routing.recurrence = 1;
    for (std::size_t i = 0; i < policy_names.size(); ++i) {
        s.routing.policy = static_cast<Policy>(i);
        if (!has_gate(s.routing.policy) || s.routing.policy == Policy::top1) continue;
        INFO(policy_names[i]);
        for (const Routing& r : route_layers(*make_policy(s), 500, 3, true)) {
            std::int64_t chosen = 0;
            for (const std::int64_t n : load_of(r, 8)) chosen += n;
            CHECK(chosen >= 500);
        }
    }
}

TEST_CASE("what no document could hold is refused before anything is written", "[fit]") {
    LoadTable loads;
    loads.origin = "loads.json";
    loads.load = Matrix<double>(2, 4);
    for (std::size_t e = 0; e < 4; ++e) loads.load(0, e) = 10;
    CHECK_THROWS_WITH(fit_popularity(loads, 2, {}),
                      "loads.json: found no load in layer 1, expected some to learn from");
    CHECK_THROWS_WITH(
        fit_popularity(loads, 5, {}),
        "loads.json: found 2 layers, top-5 of 4 experts, expected at most 1000 layers and top_k from 1 to 4");
}

TEST_CASE("a fitted model is written and read back as the same", "[fit]") {
    for (const std::int64_t k : {1, 3}) {
        Scenario s = routing_scenario(6, k, 3);
        s.routing.popularity.base = ZipfSpec{1};
        FitOptions options;
        options.name = "a model";
        options.source = "made up";
        const WorkloadModel model = fit_workload(recorded(s, 500), options);
        const auto document = nlohmann::json::parse(to_json(model).dump());
        CHECK(parse_workload_model(document, "model.json") == model);
    }
}

TEST_CASE("a layer in which no token has an expert teaches nothing", "[fit]") {
    const RoutingTrace t = trace_of(2, 1, 2, {0, no_expert, 1, no_expert});
    CHECK_THROWS_WITH(fit_workload(t, {}),
                      "by hand: found no expert of any token in layer 1, expected some to learn from");
}

TEST_CASE("every second token keeps its source", "[fidelity]") {
    RoutingTrace t = trace_of(1, 1, 8, {0, 1, 2, 3, 4, 5, 6});
    t.source_begin = {0, 3, 4};  // of tokens 0 1 2 | 3 | 4 5 6
    const RoutingTrace even = every_second(t, false), odd = every_second(t, true);
    CHECK(even.choices == std::vector<ExpertIndex>{0, 2, 4, 6});
    CHECK(even.source_begin == std::vector<std::size_t>{0, 2});  // source 1 has none
    CHECK(odd.choices == std::vector<ExpertIndex>{1, 3, 5});
    CHECK(odd.source_begin == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("traffic between positions, counted by hand", "[fidelity]") {
    // Two layers, top-2 of 4 experts, two positions: experts 0, 1 | 2, 3. Token 0 goes from {0, 1} (position 0) to
    // {0, 2} (both); token 1 from {1, 2} (both) to {3, 2} (position 1).
    const RoutingTrace t = trace_of(2, 2, 4, {0, 1, 0, 2, 1, 2, 3, 2});
    Matrix<std::uint32_t> place(2, 4);
    for (std::size_t l = 0; l < 2; ++l) place(l, 2) = place(l, 3) = 1;
    const Placement placement(std::move(place), 2);
    CHECK(adjacent_traffic(t, placement).values() == std::vector<double>{1, 2, 0, 1});
    // Sources: token 0 is of the first, token 1 of the second. Copies: 0 -> 0 twice, 0 -> 1 once; 1 -> 0 once, 1 -> 1
    // twice.
    CHECK(dispatch_traffic(t, placement).values() == std::vector<double>{2, 1, 1, 2});
}

TEST_CASE("relative distance of two matrices", "[fidelity]") {
    // Twice (1, 0; 0, 1) against (2, 0; 0, 1): the difference is (0, 0; 0, 1), 1 / sqrt(5).
    Matrix<double> made(2, 2), real(2, 2);
    made(0, 0) = made(1, 1) = 1;
    real(0, 0) = 2, real(1, 1) = 1;
    CHECK(relative_distance(made, real, 2) == Approx(1 / std::sqrt(5)));
}

TEST_CASE("an affinity placement follows a chain of experts", "[planner]") {
    // Expert e is followed by expert (e + 3) mod 8; four positions of two experts each.
    std::vector<ExpertIndex> choices;
    for (ExpertIndex e = 0; e < 8; ++e) {
        choices.push_back(e);
        choices.push_back(static_cast<ExpertIndex>((e + 3) % 8));
    }
    const RoutingTrace t = trace_of(2, 1, 8, choices);
    const Placement p = affinity_placement(t, 4);
    for (std::size_t e = 0; e < 8; ++e) CHECK(p.position(LayerId(0), e) == p.position(LayerId(1), (e + 3) % 8));
    const Matrix<double> traffic = adjacent_traffic(t, p);
    for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j < 4; ++j) CHECK(traffic(i, j) == (i == j ? 2 : 0));
}
