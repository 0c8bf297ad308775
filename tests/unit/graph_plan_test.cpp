// Partitioning of the affinity graph: a case whose answer is plain, and what has to hold always.
#include <utility>

#include "base/error.hpp"
#include "planner/graph_partition.hpp"
#include "planner/graph_plan.hpp"
#include "support/catch.hpp"
#include "support/planner_problems.hpp"

using namespace moesim;
using namespace moesim::test;

// Two triangles, joined by one light edge: that is the cut.
TEST_CASE("graph partition: two triangles") {
    WeightedGraph graph(Matrix<std::int32_t>(6, 1, 1));
    for (const std::size_t first : {0U, 3U}) {
        graph.join(first, first + 1, 5);
        graph.join(first, first + 2, 5);
        graph.join(first + 1, first + 2, 5);
    }
    graph.join(2, 3, 1);
    const auto part = partition_graph(graph, {0.5, 0.5}, 1.05, 1);
    CHECK(part[0] == part[1]);
    CHECK(part[1] == part[2]);
    CHECK(part[3] == part[4]);
    CHECK(part[4] == part[5]);
    CHECK(part[0] != part[3]);
}

// Four layers of eight experts on two nodes of two positions. Tokens of family f = 0..3 go through experts f and 7 - f
// in every order, so that either has tokens from and to both: 40 a family, which can be kept together. One token goes
// from family 0 to 1 and back and forth, another from 2 to 3: with these on one node, all that crosses positions, the
// three steps of each of the two, stays inside of nodes. 6 of 162 x 3 steps.
TEST_CASE("graph: families of experts that only meet one another") {
    std::vector<std::vector<ExpertIndex>> tokens;
    for (int i = 0; i < 10; ++i)
        for (ExpertIndex f = 0; f < 4; ++f) {
            const auto o = static_cast<ExpertIndex>(7 - f);
            for (const auto& token :
                 std::vector<std::vector<ExpertIndex>>{{f, f, f, f}, {o, o, o, o}, {f, o, f, o}, {o, f, o, f}})
                tokens.push_back(token);
        }
    tokens.push_back({0, 1, 0, 1});
    tokens.push_back({2, 3, 2, 3});
    PlannerProblem problem = first_choice_problem(tokens, 8, 4);
    problem.positions.node = {0, 0, 1, 1};
    const PlannerResult r = graph_plan(problem, {}, {});
    CHECK(r.value == Approx(6.0 / (162 * 3)));
    CHECK(is_even(r.placement));
    for (std::size_t l = 0; l < 4; ++l)
        for (const auto& [a, b] : {std::pair{0U, 1U}, {2U, 3U}})
            CHECK(problem.positions.node[r.placement.position(LayerId(l), a)] ==
                  problem.positions.node[r.placement.position(LayerId(l), b)]);
}

TEST_CASE("graph: every layer is even, the value is that of the placement, the same for the same seed") {
    const ProblemSize sizes[] = {{60, 6, 16, 2, 1, 4}, {60, 4, 12, 3, 2, 4}, {40, 3, 10, 2, 2, 4}, {20, 1, 8, 2, 1, 8}};
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        const PlannerProblem problem = random_problem(seed, sizes[seed % 4]);
        const auto& w = problem.workload;
        GraphOptions options;
        options.together = seed % 2 == 0 ? 0 : 0.5;
        options.tries = 2;
        Effort effort;
        effort.seed = seed;
        const PlannerResult r = graph_plan(problem, options, effort);
        INFO("seed " << seed);
        CHECK(is_even(r.placement));
        const auto place = first_copies(r.placement);
        double all = 0, apart = 0;
        const auto count = [&](double weight, std::uint32_t from, std::uint32_t to) {
            all += weight;
            if (from != to) apart += weight;
        };
        for (std::size_t l = 0; l < w.layers; ++l)
            for (std::size_t a = 0; a < w.experts; ++a)
                for (std::size_t b = 0; b < w.experts; ++b) {
                    if (a < b) count(options.together * w.together[l](a, b), place(l, a), place(l, b));
                    if (l + 1 < w.layers) count(w.pairs[l](a, b), place(l, a), place(l + 1, b));
                }
        CHECK(r.value == Approx(all > 0 ? apart / all : 0));
        CHECK(graph_plan(problem, options, effort).placement == r.placement);
    }
}

TEST_CASE("graph: slots and memory that do not suffice are refused") {
    PlannerProblem problem = random_problem(1, {20, 2, 8, 2, 1, 4});
    problem.memory = Bytes(3999);
    CHECK_THROWS_AS(graph_plan(problem, {}, {}), InputError);
    problem.memory = Bytes(4000);
    CHECK_NOTHROW(graph_plan(problem, {}, {}));
    problem.slots = 1;
    CHECK_THROWS_AS(graph_plan(problem, {}, {}), InputError);
}
