#include "study/workload_shift.hpp"

#include "support/catch.hpp"

using namespace moesim;

namespace {

// One layer, one choice a token.
RoutingTrace trace_of(std::vector<ExpertIndex> choices, std::size_t experts) {
    RoutingTrace t;
    t.tokens = choices.size();
    t.layers = t.top_k = 1;
    t.experts = experts;
    t.source_begin = {0};
    t.choices = std::move(choices);
    return t;
}

Matrix<double> loads(const std::vector<std::vector<double>>& rows) {
    Matrix<double> m(rows.size(), rows[0].size());
    for (std::size_t l = 0; l < rows.size(); ++l)
        for (std::size_t e = 0; e < rows[l].size(); ++e) m(l, e) = rows[l][e];
    return m;
}

}  // namespace

TEST_CASE("the distance of loads, by hand", "[workload-shift]") {
    // Layer 0: shares 1/2 1/4 1/4 and 1/4 1/4 1/2: (1/4 + 0 + 1/4) / 2 = 1/4. Layer 1: the same shares: 0.
    CHECK(load_distance(loads({{2, 1, 1}, {1, 2, 3}}), loads({{10, 10, 20}, {2, 4, 6}})) == Approx(0.125));
    // Nothing in common: 1. An idle layer says nothing.
    CHECK(load_distance(loads({{3, 0}}), loads({{0, 7}})) == Approx(1));
    CHECK(load_distance(loads({{3, 0}}), loads({{0, 0}})) == 0);
}

TEST_CASE("what chance explains is scaled from the learned halves", "[workload-shift]") {
    // Four tokens in blocks of two: shares 1 0 and 1/2 1/2, half a choice apart. Halves of 2 and 2 tokens have
    // 1/2 + 1/2 = 1; 4 learned and 4 judged tokens 1/4 + 1/4 = 1/2; so it shrinks by sqrt(1/2).
    const RoutingTrace learned = trace_of({0, 0, 0, 1}, 2);
    CHECK(distance_by_chance(learned, 4) == Approx(0.5 * std::sqrt(0.5)));
    // Ever more judged tokens: down to the learned tokens' own, sqrt(1/4).
    CHECK(distance_by_chance(learned, 1e12) == Approx(0.25));
    CHECK(distance_by_chance(trace_of({0}, 2), 4) == 1);  // a single token tells nothing
}

TEST_CASE("unlike is twice what chance explains, and a twentieth at least", "[workload-shift]") {
    CHECK_FALSE(WorkloadShift{0.04, 0.001}.unlike());
    CHECK_FALSE(WorkloadShift{0.10, 0.06}.unlike());
    CHECK(WorkloadShift{0.10, 0.04}.unlike());
}
