// MoETuner's two programs, against cases worked out by hand and against everything there is to try.
#include <algorithm>
#include <cmath>

#include "planner/moetuner.hpp"
#include "support/catch.hpp"
#include "support/planner_problems.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

double deviation(const PlannerProblem& problem, const Matrix<std::uint32_t>& place) {
    const std::size_t n = problem.positions.count();
    double all = 0;
    for (std::size_t l = 0; l < place.rows(); ++l) {
        std::vector<double> sum(n);
        double total = 0;
        for (std::size_t e = 0; e < place.cols(); ++e) {
            sum[place(l, e)] += problem.workload.load(l, e);
            total += problem.workload.load(l, e);
        }
        for (const double s : sum) all += std::abs(s - total / static_cast<double>(n));
    }
    return all;
}

// Each layer's clusters renamed in all ways: the clusters of `place` at all positions.
double least_of_labels(const PlannerProblem& problem, const ExpertClusters& clusters) {
    const std::size_t n = problem.positions.count();
    PlannerProblem of_clusters = problem;  // one cluster a position
    of_clusters.workload.experts = n;
    return least_of_all(of_clusters, [&](const Matrix<std::uint32_t>& label) {
        Matrix<std::uint32_t> place(clusters.cluster.rows(), clusters.cluster.cols());
        for (std::size_t l = 0; l < place.rows(); ++l)
            for (std::size_t e = 0; e < place.cols(); ++e) place(l, e) = label(l, clusters.cluster(l, e));
        return heaviest_pairs(problem, place);
    });
}

}  // namespace

// One layer of loads 5, 3, 2, 2 on two positions, mean 6: 5 + 2 and 3 + 2 deviate by 1 + 1, and so does every other way
// (5 + 3 and 4 by 2 + 2). 2 of a load of 12.
TEST_CASE("moetuner: clusters of four experts") {
    std::vector<std::vector<ExpertIndex>> tokens;
    for (const int e : {0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3}) tokens.push_back({static_cast<ExpertIndex>(e)});
    const PlannerProblem problem = first_choice_problem(tokens, 4, 2);
    const ExpertClusters c = moetuner_clusters(problem, {}, ProgramEffort({}));
    CHECK(c.deviation == Approx(2));
    CHECK(c.deviation_bound == Approx(2));
    CHECK(c.load == 12);
    CHECK(c.cluster(0, 0) != c.cluster(0, 1));
    CHECK(moetuner_plan(problem, {}, {}).deviation_over_load == Approx(2.0 / 12));
}

// Two layers of two experts on two positions: 0 -> 0 three tokens, 0 -> 1 two, 1 -> 0 none, 1 -> 1 one. Straight, two
// tokens cross from the first position; the other way round, three do one way and one the other, of which the heavier
// pair counts. At 1 ns a byte: 2 ns.
TEST_CASE("moetuner: labels of two clusters") {
    const PlannerProblem problem = first_choice_problem({{0, 0}, {0, 0}, {0, 0}, {0, 1}, {0, 1}, {1, 1}}, 2, 2);
    const MoetunerResult r = moetuner_plan(problem, {}, {});
    CHECK(r.plan.value == Approx(2e-9));
    CHECK(r.labels_bound == Approx(2e-9));
    CHECK_FALSE(r.plan.bound.has_value());
}

TEST_CASE("moetuner: both programs find the least there is") {
    const ProblemSize sizes[] = {{20, 2, 6, 2, 1, 2}, {16, 2, 6, 1, 1, 3}, {14, 2, 4, 2, 2, 4}, {12, 3, 4, 1, 2, 2}};
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        const PlannerProblem problem = random_problem(seed, sizes[seed % 4]);
        INFO("seed " << seed);
        const ProgramEffort effort({});
        const ExpertClusters c = moetuner_clusters(problem, {}, effort);
        CHECK(c.deviation ==
              Approx(least_of_all(problem, [&](const auto& p) { return deviation(problem, p); })).margin(1e-6));
        CHECK(c.deviation_bound == Approx(c.deviation).margin(1e-6));
        const ClusterLabels labels = moetuner_labels(problem, c, {}, effort);
        CHECK(labels.value == Approx(least_of_labels(problem, c)));
        CHECK(labels.bound == Approx(labels.value));
        const MoetunerResult r = moetuner_plan(problem, {}, {});
        CHECK(is_even(r.plan.placement));
        CHECK(r.plan.value == Approx(heaviest_pairs(problem, first_copies(r.plan.placement))));
        CHECK(r.plan.value == Approx(labels.value));
    }
}

TEST_CASE("moetuner: stopped early, its bounds still are some") {
    for (std::uint64_t seed = 20; seed < 24; ++seed) {
        const PlannerProblem problem = random_problem(seed, {40, 2, 6, 2, 1, 3});
        Effort least;
        least.iterations = 0;
        const ProgramEffort effort(least);
        const ExpertClusters c = moetuner_clusters(problem, {}, effort);
        const double possible = least_of_all(problem, [&](const auto& p) { return deviation(problem, p); });
        CHECK(c.deviation >= possible - 1e-6);
        CHECK(c.deviation_bound <= possible + 1e-6);
        const ClusterLabels labels = moetuner_labels(problem, c, {}, effort);
        CHECK(labels.value >= Approx(least_of_labels(problem, c)));
        CHECK(labels.bound <= Approx(least_of_labels(problem, c)));
    }
}

TEST_CASE("moetuner: more than one cluster a position, and what does not divide") {
    const PlannerProblem problem = random_problem(3, {30, 2, 8, 1, 1, 2});
    MoetunerOptions options;
    options.clusters_per_position = 2;
    const MoetunerResult r = moetuner_plan(problem, options, {});
    CHECK(is_even(r.plan.placement));
    options.clusters_per_position = 3;
    CHECK_THROWS_AS(moetuner_plan(problem, options, {}), InputError);
}

// Loads 9, 1, 1, 1 on two positions, mean 6. Two experts each deviate by 4 + 4; the heavy one alone by 3 + 3. In both
// layers the position that has one expert has three in the other, so that it holds four of the eight (equation 13).
TEST_CASE("moetuner: uneven clusters, and as many experts on each position over all layers") {
    std::vector<std::vector<ExpertIndex>> tokens(9, {0, 0});
    for (const int e : {1, 2, 3}) tokens.push_back({static_cast<ExpertIndex>(e), static_cast<ExpertIndex>(e)});
    PlannerProblem problem = first_choice_problem(tokens, 4, 2);
    CHECK(moetuner_clusters(problem, {}, ProgramEffort({})).deviation == Approx(16));
    MoetunerOptions uneven;
    uneven.even = false;
    // As many slots as even clusters take leave no other clusters.
    CHECK(moetuner_clusters(problem, uneven, ProgramEffort({})).deviation == Approx(16));
    problem.slots = 3;
    CHECK(moetuner_clusters(problem, {}, ProgramEffort({})).deviation == Approx(16));
    const ExpertClusters c = moetuner_clusters(problem, uneven, ProgramEffort({}));
    CHECK(c.deviation == Approx(12));
    CHECK(c.deviation_bound == Approx(12));
    CHECK(c.size(0, c.cluster(0, 0)) == 1);
    CHECK(c.size(0, c.cluster(0, 1)) == 3);

    const auto place = first_copies(moetuner_plan(problem, uneven, {}).plan.placement);
    std::size_t held = 0;
    for (const std::uint32_t p : place.values()) held += p == 0;
    CHECK(held == 4);
    CHECK(place(0, 0) != place(1, 0));
}

TEST_CASE("moetuner: uneven clusters never deviate more than even ones, and keep within slots") {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        PlannerProblem problem = random_problem(seed, {20, 3, 6, 2, 1, 3});
        problem.slots = 3;
        MoetunerOptions uneven;
        uneven.even = false;
        const ProgramEffort effort({});
        const ExpertClusters c = moetuner_clusters(problem, uneven, effort);
        INFO("seed " << seed);
        CHECK(c.deviation <= moetuner_clusters(problem, {}, effort).deviation + 1e-6);
        for (const std::uint32_t size : c.size.values()) CHECK((size >= 1 && size <= 3));
        const auto place = first_copies(moetuner_plan(problem, uneven, {}).plan.placement);
        std::vector<std::size_t> held(3);
        for (const std::uint32_t p : place.values()) ++held[p];
        // 18 experts of all layers; what cannot be six each is off by one or two.
        for (const std::size_t h : held) CHECK((h >= 4 && h <= 8));
    }
    MoetunerOptions two_each;
    two_each.even = false;
    two_each.clusters_per_position = 2;
    CHECK_THROWS_AS(moetuner_plan(random_problem(3, {30, 2, 8, 1, 1, 2}), two_each, {}), InputError);
}
