#include "result/trace.hpp"

#include <map>
#include <set>

#include "support/catch.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

nlohmann::json trace_of(const Scenario& s, std::size_t max_arrows = 100'000) {
    return simulate_and(
        s, [=](const Result& r, const Metrics&) { return nlohmann::json::parse(chrome_trace(r, max_arrows)); });
}

}  // namespace

TEST_CASE("the trace has a track a stream, a slice a stage, and an arrow a message") {
    Scenario s = tiny(4, 400);
    s.schedule.chunks = 2;
    const auto trace = trace_of(s);
    std::set<std::pair<int, int>> tracks, named;
    std::map<int, double> arrow_start;
    std::size_t arrows = 0;
    for (const auto& e : trace["traceEvents"]) {
        const std::string kind = e["ph"];
        if (kind == "M" && e["name"] == "thread_name") named.emplace(e["pid"], e["tid"]);
        if (kind == "X") {
            tracks.emplace(e["pid"], e["tid"]);
            CHECK(e["dur"].get<double>() > 0);
        }
        if (kind == "s") arrow_start[e["id"]] = e["ts"];
        if (kind == "f") {
            ++arrows;
            CHECK(e["ts"].get<double>() >= arrow_start.at(e["id"]));
        }
    }
    CHECK(tracks.size() == 4 * 3);  // compute, dispatch, return on each of 4 GPUs
    CHECK(named == tracks);
    CHECK(arrows == 2 * 2 * 4 * 3);  // chunks x directions x pairs
    CHECK(trace["otherData"]["arrows"] == arrows);
}

TEST_CASE("slices of a track do not overlap") {
    Scenario s = tiny(4, 400);
    s.schedule = {2, 3, Order::interleaved};
    s.model.moe_layers = 3;
    std::map<std::pair<int, int>, double> end;
    for (const auto& e : trace_of(s)["traceEvents"]) {
        if (e["ph"] != "X") continue;
        double& last = end[{e["pid"], e["tid"]}];
        CHECK(e["ts"].get<double>() >= last - 1e-6);
        last = e["ts"].get<double>() + e["dur"].get<double>();
    }
}

TEST_CASE("arrows beyond the limit are left out and counted") {
    const auto trace = trace_of(tiny(4, 400), 5);
    CHECK(trace["otherData"]["arrows"] == 5);
    CHECK(trace["otherData"]["arrows_left_out"] == 2 * 4 * 3 - 5);
}
