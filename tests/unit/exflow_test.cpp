// ExFlow's integer program, against cases worked out by hand and against every placement there is.
#include <filesystem>
#include <numeric>

#include "planner/exflow.hpp"
#include "support/catch.hpp"
#include "support/planner_problems.hpp"
#include "support/program.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

std::vector<std::uint32_t> positions_of(const PlannerProblem& problem) {
    std::vector<std::uint32_t> all(problem.positions.count());
    std::iota(all.begin(), all.end(), 0U);
    return all;
}

ExflowOptions with(CrossingForm form, bool strengthened, bool staged = true) {
    ExflowOptions o;
    o.form = form;
    o.strengthened = strengthened;
    o.staged = staged;
    return o;
}

}  // namespace

// Two layers of four experts on two positions. Of the first layer's, 0, 1 and 2 go on to 0, with 3, 2 and 1 tokens, and
// 3 goes on to 3 with one. Only two of those three can be with 0, so the one token from 2 crosses at least; and no
// other has to: 0 and 1 with 0, 2 and 3 with 3. 1 of 7.
TEST_CASE("exflow: four experts on two positions") {
    const std::vector<std::vector<ExpertIndex>> tokens{{0, 0}, {0, 0}, {0, 0}, {1, 0}, {1, 0}, {2, 0}, {3, 3}};
    const PlannerProblem problem = first_choice_problem(tokens, 4, 2);
    for (const CrossingForm form : {CrossingForm::tokens, CrossingForm::counts})
        for (const bool strengthened : {false, true}) {
            const PlannerResult r = exflow_plan(problem, with(form, strengthened), {});
            CHECK(r.value == Approx(1.0 / 7));
            CHECK(r.bound.value() == Approx(1.0 / 7));
            CHECK(is_even(r.placement));
        }
}

TEST_CASE("exflow: both forms find the least of all placements") {
    const ProblemSize sizes[] = {{12, 3, 4, 1, 1, 2}, {16, 2, 4, 2, 1, 4}, {14, 2, 6, 1, 1, 2}, {10, 2, 5, 1, 1, 2}};
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        const PlannerProblem problem = random_problem(seed, sizes[seed % 4]);
        const double all =
            static_cast<double>(problem.workload.tokens) * static_cast<double>(problem.workload.layers - 1);
        const double least =
            least_of_all(problem, [&](const auto& p) { return crossing_tokens(problem, p, positions_of(problem)); });
        INFO("seed " << seed);
        for (const CrossingForm form : {CrossingForm::tokens, CrossingForm::counts})
            for (const bool strengthened : {false, true}) {
                const PlannerResult r = exflow_plan(problem, with(form, strengthened), {});
                CHECK(r.value * all == Approx(least));
                CHECK(r.bound.value() * all == Approx(least));
                CHECK(is_even(r.placement));
            }
    }
}

TEST_CASE("exflow: in stages, nodes are crossed least, then the positions of each") {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const PlannerProblem problem = random_problem(seed, {20, 2, 4, 1, 2, 4});
        const auto all = positions_of(problem);
        const double nodes =
            least_of_all(problem, [&](const auto& p) { return crossing_tokens(problem, p, problem.positions.node); });
        const double least = least_of_all(problem, [&](const auto& p) { return crossing_tokens(problem, p, all); });
        const PlannerResult r = exflow_plan(problem, {}, {});
        const auto place = first_copies(r.placement);
        INFO("seed " << seed);
        CHECK(is_even(r.placement));
        CHECK(crossing_tokens(problem, place, problem.positions.node) == nodes);
        CHECK(r.value * 20 == Approx(crossing_tokens(problem, place, all)));
        CHECK(r.value * 20 >= least);
        CHECK(r.bound.value() * 20 <= least);
        CHECK(exflow_plan(problem, with(CrossingForm::counts, true, false), {}).value * 20 == Approx(least));
    }
}

TEST_CASE("exflow: stopped early, its bound still is one, and its start is kept at worst") {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        const PlannerProblem problem = random_problem(seed, {30, 2, 6, 1, 1, 3});
        const auto crossing = [&](const auto& p) { return crossing_tokens(problem, p, positions_of(problem)); };
        const double least = least_of_all(problem, crossing);
        Effort effort;
        effort.seed = seed;
        effort.iterations = 0;
        ExflowOptions from;
        for_every_placement(problem, [&](const auto& p) {
            if (!from.start && crossing(p) == least) from.start = p;
        });
        for (const bool strengthened : {false, true}) {
            const PlannerResult r = exflow_plan(problem, with(CrossingForm::counts, strengthened), effort);
            CHECK(r.value * 30 >= Approx(least));
            CHECK(r.bound.value() * 30 <= Approx(least));
            CHECK(is_even(r.placement));
        }
        CHECK(exflow_plan(problem, from, effort).value * 30 == Approx(least));
    }
}

TEST_CASE("exflow: the same for the same seed when limited by nodes") {
    const PlannerProblem problem = random_problem(5, {40, 3, 6, 1, 1, 3});
    Effort effort;
    effort.seed = 3;
    effort.iterations = 1;
    const PlannerResult a = exflow_plan(problem, {}, effort), b = exflow_plan(problem, {}, effort);
    CHECK(a.placement == b.placement);
    CHECK(a.bound == b.bound);
}

TEST_CASE("exflow: memory that does not suffice is named, and so are slots") {
    PlannerProblem problem = random_problem(1, {12, 2, 4, 1, 1, 2});
    problem.memory = Bytes(3999);  // of four experts of 1,000 bytes that each position would hold
    try {
        exflow_plan(problem, {}, {});
        FAIL("no error");
    } catch (const InfeasibleProgram& e) {
        INFO(e.what());
        CHECK(e.families() == std::vector<std::string>{"memory"});
    }
    problem.memory.reset();
    problem.slots = 1;
    try {
        exflow_plan(problem, {}, {});
        FAIL("no error");
    } catch (const InfeasibleProgram& e) {
        INFO(e.what());
        CHECK(e.families() == std::vector<std::string>{"slots"});
    }
}

TEST_CASE("exflow: every program is written") {
    const Folder folder;
    ExflowOptions options;
    options.files.path = (folder.path() / "exflow.lp").string();
    exflow_plan(random_problem(1, {12, 2, 4, 1, 2, 4}), options, {});
    for (const char* name : {"exflow-nodes.lp", "exflow-node0.lp", "exflow-node1.lp"})
        CHECK(std::filesystem::exists(folder.path() / name));
}
