// The topology-graph integer program, against a case worked out by hand and against every placement there is.
#include <algorithm>

#include "planner/topology_program.hpp"
#include "support/catch.hpp"
#include "support/planner_problems.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

double heaviest(const PlannerProblem& problem, const Matrix<std::uint32_t>& place) {
    double worst = 0;
    for (std::size_t l = 0; l < place.rows(); ++l) {
        std::vector<double> sum(problem.positions.count());
        double all = 0;
        for (std::size_t e = 0; e < place.cols(); ++e) {
            sum[place(l, e)] += problem.workload.load(l, e);
            all += problem.workload.load(l, e);
        }
        worst = std::max(worst, *std::max_element(sum.begin(), sum.end()) * static_cast<double>(sum.size()) / all);
    }
    return worst;
}

}  // namespace

// Two layers of three experts on three positions in a row: 1 from one to the next, 2 from end to end. Expert 0 goes on
// to 0 with four tokens, to 1 with two and to 2 with one; 1 to 1 and 2 to 2 with one each. Straight (0, 1, 2 in a row
// in both layers): 2 x 1 + 1 x 2 = 4. With 0 in the middle in both: 2 x 1 + 1 x 1 = 3, which is least, for 0 can be
// with one of the next layer's experts at most, and the tokens to the others, 2 + 1, cost 1 each at least. 3 of 9
// tokens.
TEST_CASE("topology program: three positions in a row") {
    PlannerProblem problem =
        first_choice_problem({{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 1}, {0, 1}, {0, 2}, {1, 1}, {2, 2}}, 3, 3);
    TopologyProgramOptions options;
    options.distance = Matrix<double>(3, 3);
    for (std::size_t a = 0; a < 3; ++a)
        for (std::size_t b = 0; b < 3; ++b) options.distance(a, b) = a > b ? double(a - b) : double(b - a);
    for (const bool strengthened : {false, true}) {
        options.strengthened = strengthened;
        const PlannerResult r = topology_plan(problem, options, {});
        CHECK(r.value == Approx(3.0 / 9));
        CHECK(r.bound.value() == Approx(3.0 / 9));
        CHECK(r.placement.position(LayerId(0), 0) == 1);
        CHECK(r.placement.position(LayerId(1), 0) == 1);
    }
}

TEST_CASE("topology program: the least of all placements, with a load cap and without") {
    const ProblemSize sizes[] = {{12, 3, 4, 2, 2, 2}, {16, 2, 4, 2, 2, 4}, {14, 2, 6, 2, 2, 2}, {10, 2, 5, 1, 1, 2}};
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        const PlannerProblem problem = random_problem(seed, sizes[seed % 4]);
        const auto& distance = problem.positions.seconds_per_byte;
        const auto cost = [&](const auto& p) { return transition_cost(problem.workload, p, distance); };
        const double even = least_of_all(problem, [&](const auto& p) { return heaviest(problem, p); });
        const double least = least_of_all(problem, cost);
        const double cap = even + 1e-3;
        const double capped =
            least_of_all(problem, [&](const auto& p) { return heaviest(problem, p) <= cap ? cost(p) : 1e9; });
        INFO("seed " << seed);
        for (const bool strengthened : {false, true}) {
            TopologyProgramOptions options;
            options.strengthened = strengthened;
            const PlannerResult r = topology_plan(problem, options, {});
            CHECK(r.value * 1e9 == Approx(least * 1e9));
            CHECK(r.bound.value() * 1e9 == Approx(least * 1e9));
            CHECK(is_even(r.placement));
            options.load_cap = cap;
            const PlannerResult with_cap = topology_plan(problem, options, {});
            CHECK(with_cap.value * 1e9 == Approx(capped * 1e9));
            CHECK(with_cap.bound.value() * 1e9 == Approx(capped * 1e9));
            CHECK(heaviest(problem, first_copies(with_cap.placement)) <= cap + 1e-9);
        }
    }
}

TEST_CASE("topology program: stopped early, its bound still is one") {
    Effort effort;
    effort.iterations = 0;
    for (std::uint64_t seed = 30; seed < 36; ++seed) {
        const PlannerProblem problem = random_problem(seed, {30, 2, 6, 2, 1, 2});
        const double least = least_of_all(problem, [&](const auto& p) {
            return transition_cost(problem.workload, p, problem.positions.seconds_per_byte);
        });
        TopologyProgramOptions options;
        options.strengthened = seed % 2 == 0;
        const PlannerResult r = topology_plan(problem, options, effort);
        CHECK(r.value * 1e9 >= Approx(least * 1e9));
        CHECK(r.bound.value() * 1e9 <= Approx(least * 1e9));
        CHECK(is_even(r.placement));
    }
}

TEST_CASE("topology program: a cap that cannot be kept is named") {
    TopologyProgramOptions options;
    options.load_cap = 1;  // expert 0 has 10 of 12 tokens
    std::vector<std::vector<ExpertIndex>> tokens(10, {0, 0});
    tokens.push_back({1, 1});
    tokens.push_back({2, 2});
    try {
        topology_plan(first_choice_problem(tokens, 4, 2), options, {});
        FAIL("no error");
    } catch (const InfeasibleProgram& e) {
        INFO(e.what());
        CHECK(e.families() == std::vector<std::string>{"load_cap"});
    }
}
