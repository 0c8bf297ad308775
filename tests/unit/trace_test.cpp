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
            CHECK(e["ts"].get<double>() >= arrow_start.at(e["id"]) - 1e-3);
        }
    }
    CHECK(tracks.size() == 4 * 3);  // compute, dispatch, return on each of 4 GPUs
    CHECK(named == tracks);
    CHECK(arrows == 2 * 2 * 4 * 3);  // chunks x directions x pairs
    CHECK(trace["otherData"]["arrows"] == arrows);
}

TEST_CASE("slices of a track do not overlap, and arrows join slices of one collective") {
    Scenario s = tiny(8, 800);
    s.topology = small_tree(2, 4);
    s.parallelism = {4, 4, 2};
    s.model.experts = 4;
    s.model.top_k = 2;
    s.model.shared_experts = 1;
    s.model.shared_ffn = 64;
    s.model.attention = AttentionSpec{4, 4, 16, true};
    s.dispatch.dedup = Dedup::node;
    s.schedule = {2, 3, Order::interleaved};
    s.model.moe_layers = 3;
    struct Piece {
        double begin, end;
        std::string what;
    };
    std::map<std::pair<int, int>, std::vector<Piece>> tracks;
    const auto trace = trace_of(s);
    for (const auto& e : trace["traceEvents"]) {
        if (e["ph"] != "X") continue;
        auto& track = tracks[{e["pid"], e["tid"]}];
        const double begin = e["ts"];
        if (!track.empty()) CHECK(begin >= track.back().end - 1e-6);
        const auto& a = e["args"];
        track.push_back({begin, begin + e["dur"].get<double>(),
                         fmt::format("{} {} {} {}", e["name"].get<std::string>(), a["layer"].get<int>(),
                                     a["micro_batch"].get<int>(), a["chunk"].get<int>())});
    }
    // The slice that an event belongs to: the last one that has begun.
    const auto slice_at = [&](const nlohmann::json& e) {
        const double at = e["ts"];
        std::string what = "none";
        for (const Piece& p : tracks[{e["pid"], e["tid"]}])
            if (p.begin <= at + 1e-9) what = at <= p.end ? p.what : "none";
        return what;
    };
    std::map<int, std::string> sender;
    std::size_t arrows = 0;
    for (const auto& e : trace["traceEvents"]) {
        if (e["ph"] == "s") sender[e["id"]] = slice_at(e);
        if (e["ph"] != "f") continue;
        ++arrows;
        CHECK(sender.at(e["id"]) != "none");
        CHECK(slice_at(e) == sender.at(e["id"]));
    }
    CHECK(arrows > 100);
}

TEST_CASE("arrows beyond the limit are left out and counted") {
    const auto trace = trace_of(tiny(4, 400), 5);
    CHECK(trace["otherData"]["arrows"] == 5);
    CHECK(trace["otherData"]["arrows_left_out"] == 2 * 4 * 3 - 5);
}
