// Predictions against an execution, by hand.
#include "calibrate/validate/validate_run.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "calibrate/validate/drawn_profile.hpp"
#include "support/catch.hpp"
#include "support/kernel_laws.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr auto dispatch = static_cast<std::size_t>(Stage::dispatch);
constexpr auto pack = static_cast<std::size_t>(Stage::pack);

// Two ranks, three repeats: makespans 8, 12, 10 s; dispatch 4, 6, 5 s; pack 0.1 s.
MeasuredRun three_repeats() {
    MeasuredRun run;
    run.scenario = tiny(2, 4);
    run.facts = {"cpu", "a device", "messages", {"a", "b"}, "not checked"};
    run.checksum = "00ff";
    for (const double scale : {0.8, 1.2, 1.0}) {
        RunSample one_repeat;
        one_repeat.makespan_s = 10 * scale;
        one_repeat.mean_s[dispatch] = 5 * scale;
        one_repeat.mean_s[pack] = 0.1;
        run.runs.push_back(one_repeat);
    }
    run.rank_s.resize(2);
    return run;
}

}  // namespace

TEST_CASE("a run is held by its medians: 12 s against 10 s is 20% too much") {
    // By hand: dispatch 4 / 5 - 1 = -0.2; pack 0.3 / 0.1 - 1 = 2, but 0.1 s is less than 5% of 10 s and does not count.
    SimulatedStages predicted;
    predicted.makespan_s = 12;
    predicted.mean_s[dispatch] = 4;
    predicted.mean_s[pack] = 0.3;
    const RunReport report = hold(three_repeats(), predicted, {});
    CHECK(report.total.measured_s == is(10));
    CHECK(report.total.error() == is(0.2));
    CHECK(report.stages[dispatch].error() == is(-0.2));
    CHECK(report.stages[pack].error() == is(2));
    REQUIRE(report.that_count().size() == 2);
    CHECK(report.worst_error() == is(0.2));
    CHECK_FALSE(report.total.inside());
}

TEST_CASE("the interval is from 5% to 95% of the draws") {
    // 21 draws of 10, 11, ..., 30 s: quantiles 0.05 and 0.95 are the second and the last but one, 11 and 29.
    std::vector<SimulatedStages> draws(21);
    for (std::size_t i = 0; i < draws.size(); ++i) draws[i].makespan_s = 30 - static_cast<double>(i);
    SimulatedStages predicted;
    predicted.makespan_s = 20;
    const RunReport report = hold(three_repeats(), predicted, draws);
    CHECK(report.total.low_s == is(11));
    CHECK(report.total.high_s == is(29));
    CHECK_FALSE(report.total.inside());  // 10
}

TEST_CASE("what takes no time is predicted without error by no time only") {
    CHECK(HeldFigure{"a", 0, 0}.error() == 0);
    CHECK(std::isinf(HeldFigure{"a", 1, 0}.error()));
    CHECK(nlohmann::json(to_json(std::vector{hold(three_repeats(), {}, {})}))["runs"][0]["stages"][0]["error"] == 0);
}

TEST_CASE("Kendall's tau counts pairs that are ranked alike, and regret is what following the prediction costs") {
    // Predicted 1 < 2 < 3 < 4, measured 1, 3, 2, 5: of 6 pairs 5 alike, 1 unlike: (5 - 1) / 6.
    Ranking r = rank_alike({1, 2, 3, 4}, {1, 3, 2, 5});
    CHECK(r.kendall_tau == is(4.0 / 6));
    CHECK(r.regret == 0);
    // The one predicted best took 3, the best took 2: half as long again.
    r = rank_alike({1, 2, 3}, {3, 2, 4});
    CHECK(r.regret == is(0.5));
    CHECK(r.kendall_tau == is(1.0 / 3));
    // tau-b: predicted 1, 1, 2 has 2 pairs with an order, measured 1, 2, 3 has 3; both alike: 2 / sqrt(2 * 3).
    CHECK(rank_alike({1, 1, 2}, {1, 2, 3}).kendall_tau == is(2 / std::sqrt(6.0)));
    // Within 10% of each other: equal. Nothing but ties: nothing unlike.
    CHECK(rank_alike({1, 1.05}, {2, 1}, 0.1).kendall_tau == 1);
    CHECK(rank_alike({1, 2}, {2, 1}).kendall_tau == -1);
}

TEST_CASE("a run of another scenario is refused with the place where they differ") {
    const MeasuredRun run = three_repeats();
    Scenario asked = run.scenario;
    asked.name = "another name";
    asked.profile.launch.value = Seconds(1);
    asked.network.model = NetworkKind::bound;
    check_same(asked, "s.json", run.scenario, "run.json");
    asked.model.hidden *= 2;
    CHECK_THROWS_WITH(
        check_same(asked, "s.json", run.scenario, "run.json"),
        Catch::StartsWith("run.json: $.scenario.model.hidden: found ") && Catch::EndsWith("as s.json has it"));
}

TEST_CASE("a drawn profile is slower by its residuals, each law and link by one factor") {
    Profile p = ideal_profile();
    p.nic.efficiency.value = 0.5;
    p.nic.overhead.value = Seconds(1e-3);
    p.nic.gap = {Seconds(1e-6), "test"};
    p.nic.residuals = {{2, 2}, "all twice as long"};
    p.kernels = simple_laws();
    for (KernelLaw& law : p.kernels.laws) law.fit.residuals = {3, 3};
    const Profile drawn = drawn_profile(p, 7);
    CHECK(drawn.nic.efficiency.value == is(0.25));
    CHECK(drawn.nic.overhead.value.value() == is(2e-3));
    CHECK(drawn.nic.gap->value.value() == is(2e-6));
    CHECK(drawn.nvlink == p.nvlink);
    for (std::size_t i = 0; i < p.kernels.laws.size(); ++i)
        CHECK(drawn.kernels.laws[i].seconds_per[0] == is(3 * p.kernels.laws[i].seconds_per[0]));
    // Residuals from 1 to 2 give other factors in other draws, and the same in the same one.
    p.nic.residuals->value = {1, 2};
    CHECK(drawn_profile(p, 1).nic == drawn_profile(p, 1).nic);
    CHECK_FALSE(drawn_profile(p, 1).nic == drawn_profile(p, 2).nic);
    // Four fifths of the time over a wire that is used fully: what is drawn is not a wire's rate, but how long messages
    // take.
    p.nic.efficiency.value = 1;
    p.nic.residuals->value = {0.8, 0.8};
    CHECK(drawn_profile(p, 1).nic.efficiency.value == is(1.25));
}

TEST_CASE("the document of a run reads back, and says where it is broken") {
    const MeasuredRun run = three_repeats();
    const nlohmann::json document = to_json(run);
    const MeasuredRun back = parse_run(document, "run.json");
    CHECK(nlohmann::json(to_json(back)) == document);
    CHECK(back.median_makespan() == is(10));
    CHECK(median_run(back) == 2);
    const auto refused = [&](const char* pointer, const nlohmann::json& value, const std::string& message) {
        nlohmann::json broken = document;
        broken[nlohmann::json::json_pointer(pointer)] = value;
        CHECK_THROWS_WITH(parse_run(broken, "run.json"), Catch::StartsWith("run.json: " + message));
    };
    refused("/schema", "moesim.result/1", "$.schema: found \"moesim.result/1\"");
    refused("/runs", nlohmann::json::array(), "$.runs: found ");
    refused("/runs/1/mean_s/dispatch", "5s", "$.runs[1].mean_s.dispatch: found \"5s\"");
    refused("/runs/0/makespan_s", -1, "$.runs[0].makespan_s: found -1");
    refused("/median_per_rank_s/1", nullptr, "$.median_per_rank_s[1]: found ");
    refused("/scenario/model/hidden", 0, "$.scenario.model.hidden: found 0");
    refused("/hosts", "a", "$.hosts: found \"a\"");
    refused("/unknown", 1, "$: found the unknown key \"unknown\"");
    nlohmann::json fewer = document;
    fewer["median_per_rank_s"].erase(1);
    CHECK_THROWS_WITH(parse_run(fewer, "run.json"),
                      Catch::Contains("$.median_per_rank_s: found ") && Catch::Contains("expected 2 elements"));
    nlohmann::json without = document;
    without.erase("scenario");
    CHECK_THROWS_AS(parse_run(without, "run.json"), InputError);
}
