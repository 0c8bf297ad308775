// The way to CBC: programs whose answers are worked out by hand.
#include <signal.h>
#include <unistd.h>
#include <CbcModel.hpp>
#include <OsiClpSolverInterface.hpp>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "planner/solve.hpp"
#include "planner/stopwatch.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr double inf = IntegerProgram::infinity;

// Three things of value 5, 4, 3 and weight 4, 3, 2, up to 5 in all. By value over weight the relaxation takes the
// third, the second, and nothing of the first: 7, which is whole, so 7 is the answer. Without the third: 5, or 4 + 1/4
// x 5.
IntegerProgram knapsack(double most = 5) {
    IntegerProgram p;
    p.add_binary("x_0", -5);
    p.add_binary("x_1", -4);
    p.add_binary("x_2", -3);
    p.require("weight", "all", -inf, {{0, 4}, {1, 3}, {2, 2}}, most);
    return p;
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string text_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// What another program finds in the file.
double optimum_in(const std::string& file) {
    OsiClpSolverInterface solver;
    solver.messageHandler()->setLogLevel(0);
    REQUIRE((file.ends_with(".lp") ? solver.readLp(file.c_str()) : solver.readMps(file.c_str(), "")) == 0);
    CbcModel model(solver);
    model.setLogLevel(0);
    model.branchAndBound();
    REQUIRE(model.isProvenOptimal());
    return model.getObjValue();
}

// The processes that this one has begun and not yet ended.
std::vector<pid_t> children() {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string stat = text_of((entry.path() / "stat").string());
        const auto after_name = stat.rfind(')');
        if (after_name == std::string::npos) continue;
        char state = 0;
        pid_t parent = 0;
        std::istringstream(stat.substr(after_name + 1)) >> state >> parent;
        if (parent == getpid() && state != 'Z') found.push_back(std::stoi(entry.path().filename().string()));
    }
    return found;
}

// Assigning 80 things to 8 groups of 10, pairs of things costing where they are apart: a relaxation of 50,000 rows.
// With a start in the order of numbers.
struct LongProgram {
    IntegerProgram p;
    SolveOptions options;

    LongProgram() {
        constexpr std::size_t things = 80, groups = 8;
        for (std::size_t i = 0; i < things * groups; ++i) p.add_binary("x_" + std::to_string(i));
        for (std::size_t i = 0; i < things; ++i) {
            std::vector<IntegerProgram::Term> one;
            for (std::size_t g = 0; g < groups; ++g) one.push_back({i * groups + g, 1});
            p.require("one", std::to_string(i), 1, std::move(one), 1);
        }
        for (std::size_t g = 0; g < groups; ++g) {
            std::vector<IntegerProgram::Term> ten;
            for (std::size_t i = 0; i < things; ++i) ten.push_back({i * groups + g, 1});
            p.require("ten", std::to_string(g), 10, std::move(ten), 10);
        }
        options.start.assign(things * groups, 0);
        for (std::size_t i = 0; i < things; ++i) options.start[i * groups + i / 10] = 1;
        for (std::size_t a = 0; a < things; ++a)
            for (std::size_t b = a + 1; b < things; ++b) {
                const std::string name = std::to_string(a) + "_" + std::to_string(b);
                const std::size_t y = p.add({"y_" + name, 0, 1, static_cast<double>(a * b % 13), false});
                options.start.push_back(a / 10 == b / 10 ? 0 : 1);
                for (std::size_t g = 0; g < groups; ++g)
                    for (const double sign : {1.0, -1.0})
                        p.require("apart", name + "_g" + std::to_string(g) + (sign > 0 ? "a" : "b"), 0,
                                  {{y, 1}, {a * groups + g, -sign}, {b * groups + g, sign}}, inf);
            }
    }
};

}  // namespace

TEST_CASE("integer program: a knapsack") {
    const Solution s = solve(knapsack());
    CHECK(s.optimal);
    CHECK(s.value == -7);
    CHECK(s.bound == -7);
    CHECK(s.gap() == 0);
    CHECK(s.x == std::vector<double>{0, 1, 1});
}

TEST_CASE("integer program: without whole columns it is a linear program") {
    // x + y = 3, x <= 2: the cheaper x takes what it may, 2 x 1 + 1 x 2 = 4.
    IntegerProgram p;
    p.add({"x", 0, 2, 1, false});
    p.add({"y", 0, inf, 2, false});
    p.require("sum", "xy", 3, {{0, 1}, {1, 1}}, 3);
    const Solution s = solve(p);
    CHECK(s.optimal);
    CHECK(s.value == Approx(4));
    CHECK(s.bound == Approx(4));
}

TEST_CASE("integer program: costs far below 1 are told apart") {
    // One of two, at 2e-12 and 1e-12.
    IntegerProgram p;
    p.add_binary("a", 2e-12);
    p.add_binary("b", 1e-12);
    p.require("one", "ab", 1, {{0, 1}, {1, 1}}, 1);
    CHECK(solve(p).x == std::vector<double>{0, 1});
}

TEST_CASE("integer program: a start is improved on, and one that breaks a constraint is not used") {
    SolveOptions from;
    from.start = {1, 0, 0};  // -5
    CHECK(solve(knapsack(), from).value == -7);
    from.start = {1, 1, 1};  // of weight 9
    CHECK(solve(knapsack(), from).value == -7);
    from.start = {1};
    CHECK_THROWS_AS(solve(knapsack(), from), InternalError);
}

TEST_CASE("integer program: the family that cannot be met is named") {
    // Two of three, each of weight 2 or more, and no more than 3 in all: the weight gives way by 2, to (3 + 2), or the
    // count by 1.
    IntegerProgram p = knapsack(3);
    p.require("count", "all", 2, {{0, 1}, {1, 1}, {2, 1}}, inf);
    p.require("other", "all", -inf, {{0, 1}}, 1);
    try {
        solve(p);
        FAIL("no error");
    } catch (const InfeasibleProgram& e) {
        CHECK(e.families() == std::vector<std::string>{"weight", "count"});
        CHECK(e.code() == ExitCode::bad_input);
        INFO(e.what());
        CHECK(says(e.what(), "'weight' (missed by 2 in all; weight_all by 2)"));
        CHECK(says(e.what(), "'count' (missed by 1 in all; count_all by 1)"));
    }
}

TEST_CASE("integer program: families that only together can give way are named together") {
    // Weight below 0 and more than three of three: whichever is relaxed, the other cannot be met.
    IntegerProgram p = knapsack(-1);
    p.require("count", "all", 4, {{0, 1}, {1, 1}, {2, 1}}, inf);
    try {
        solve(p);
        FAIL("no error");
    } catch (const InfeasibleProgram& e) {
        CHECK(e.families() == std::vector<std::string>{"weight", "count"});
        CHECK(says(e.what(), "together with"));
    }
}

TEST_CASE("integer program: what nothing holds is named") {
    IntegerProgram p = knapsack();
    p.add({"free", 0, inf, -1, false});
    try {
        solve(p);
        FAIL("no error");
    } catch (const UnboundedProgram& e) {
        CHECK(says(e.what(), "no constraint family holds free"));
    }
}

TEST_CASE("integer program: as files, by readable names") {
    const Folder folder;
    const std::string lp = (folder.path() / "knapsack.lp").string(), mps = (folder.path() / "knapsack.mps").string();
    write_program(knapsack(), lp);
    for (const char* name : {"weight_all", "x_0", "x_1", "x_2"}) CHECK(says(text_of(lp), name));
    write_program(knapsack(), mps);
    for (const char* name : {"weight_all", "x_0", "x_1", "x_2"}) CHECK(says(text_of(mps), name));
    CHECK(optimum_in(lp) == Approx(-7));
    CHECK(optimum_in(mps) == Approx(-7));
    CHECK_THROWS_AS(write_program(knapsack(), (folder.path() / "no such folder" / "x.lp").string()), InputError);
}

TEST_CASE("integer program: the clock ends what takes long, and the start is what remains") {
    auto [p, options] = LongProgram();
    options.seconds = 0.2;
    const Solution s = solve(p, options);
    CHECK_FALSE(s.optimal);
    CHECK(s.value <= p.value(options.start));
    CHECK(p.violation(s.x) < 1e-6);
    CHECK(s.bound <= s.value);
}

TEST_CASE("integer program: where CBC crashes under a clock, what is known remains; without one it is an error") {
    auto [p, options] = LongProgram();
    for (const bool clock : {true, false}) {
        options.seconds = clock ? std::optional<double>(60) : std::nullopt;
        std::thread crash([] {
            while (children().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
            kill(children().front(), SIGSEGV);
        });
        const Stopwatch watch;
        if (clock) {
            const Solution s = solve(p, options);
            CHECK_FALSE(s.optimal);
            CHECK(s.value == p.value(options.start));
            CHECK(s.bound <= s.value);
        } else {
            CHECK_THROWS_AS(solve(p, options), InternalError);
        }
        crash.join();
        CHECK(watch.elapsed().value() < 60);  // the crash ended it, not the clock
    }
}
