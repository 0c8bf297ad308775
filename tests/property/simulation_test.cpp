// What holds for every scenario.
#include <numeric>

#include "support/catch.hpp"
#include "support/random_scenario.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr std::uint64_t scenarios = 120;

std::int64_t row_sum(const Matrix<std::int64_t>& m, std::size_t r) {
    std::int64_t sum = 0;
    for (std::size_t c = 0; c < m.cols(); ++c) sum += m(r, c);
    return sum;
}

std::int64_t column_sum(const Matrix<std::int64_t>& m, std::size_t c) {
    std::int64_t sum = 0;
    for (std::size_t r = 0; r < m.rows(); ++r) sum += m(r, c);
    return sum;
}

// Names of what is violated.
void check_conservation(const Result& r, nlohmann::json& broken) {
    const auto require = [&](bool holds, const char* what) {
        if (!holds) broken.push_back(what);
    };
    const Scenario& s = r.plan.scenario;
    for (const LayerLoad& l : r.layers) {
        require(l.chosen == s.batch.tokens() * s.model.top_k, "every token makes k choices");
        require(
            std::accumulate(l.expert_tokens.begin(), l.expert_tokens.end(), std::int64_t{0}) == l.chosen - l.dropped,
            "experts compute all that was not dropped");
        require(std::accumulate(l.rank_tokens.begin(), l.rank_tokens.end(), std::int64_t{0}) ==
                    (l.chosen - l.dropped) * s.parallelism.tensor,
                "so do ranks");
        require(s.routing.capacity_factor || l.dropped == 0, "nothing is dropped without a capacity");
    }
    // The return has the dispatch's number format in these scenarios, so what comes back is what went.
    const NetworkTraffic& t = r.traffic;
    require(t.dispatch.bytes == t.return_.bytes, "what leaves comes back");
    require(t.dispatch.messages == t.return_.messages, "message for message");
    require(t.dispatch.bytes + t.return_.bytes + t.tensor.bytes == t.inside_nodes + t.between_nodes,
            "all traffic is inside or between nodes");
    if (s.parallelism.tensor == 1)
        for (std::size_t a = 0; a < r.rank_bytes.rows(); ++a)
            for (std::size_t b = 0; b < a; ++b)
                require(r.rank_bytes(a, b) == r.rank_bytes(b, a), "each pair exchanges as much as it returns");
    // Every byte that enters the fabric leaves it: per rank over its own links, per class of link.
    const Fabric& fabric = r.plan.fabric;
    std::map<std::string, std::int64_t> by_direction;
    std::vector<std::int64_t> up(fabric.ranks()), down(fabric.ranks());
    for (std::size_t l = 0; l < fabric.links().size(); ++l) {
        const std::string& name = fabric.links()[l].name;
        const std::int64_t bytes = r.link_bytes[l].value();
        by_direction[name.substr(name.find('.'))] += bytes;
        if (name.rfind("gpu", 0) != 0) continue;
        const auto rank = static_cast<std::size_t>(std::stoul(name.substr(3)));
        (name.find(".up") != std::string::npos ? up : down)[rank] += bytes;
    }
    for (const char* link : {".nvlink", ".nic", ".uplink"})
        require(by_direction[std::string(link) + ".up"] == by_direction[std::string(link) + ".down"],
                "what goes up comes down");
    for (std::size_t rank = 0; rank < fabric.ranks(); ++rank) {
        require(up[rank] == row_sum(r.rank_bytes, rank), "a rank's links carry what it sends");
        require(down[rank] == column_sum(r.rank_bytes, rank), "and what it gets");
    }
}

void check_times(const Result& r, const Metrics& m, nlohmann::json& broken) {
    const auto require = [&](bool holds, const char* what) {
        if (!holds) broken.push_back(what);
    };
    const double makespan = m.makespan.value();
    std::vector<double> compute_end(r.plan.fabric.ranks());
    const auto& tasks = r.graph.tasks();
    for (TaskId id = 0; id < tasks.size(); ++id) {
        const TaskTime& t = r.times[id];
        require(t.start >= Seconds(0) && t.finish >= t.start && t.finish <= m.makespan, "times are in order");
        const Seconds cause_end = t.cause == TaskTime::no_cause ? Seconds(0) : r.times[t.cause].finish;
        require(t.start == cause_end, "a task starts when its cause ends");
        if (tasks[id].kind != TaskKind::compute) continue;
        double& end = compute_end[tasks[id].label.rank.value()];
        require(t.start.value() >= end, "a compute stream does one thing at a time");
        end = t.finish.value();
        require(t.finish.value() - t.start.value() >= tasks[id].duration.value() * (1 - 1e-9) - 1e-18,
                "no GPU is faster than nominal");
    }
    for (const auto& e : r.graph.edges())
        if (!tasks[e.after].starts_with_first)
            require(r.times[e.before].finish <= r.times[e.after].start, "nothing starts before what it waits for");
    double path = 0;
    for (const StageMetrics& s : m.stages) path += s.critical_path.value();
    require(std::abs(path - makespan) <= 1e-9 * makespan, "the critical path adds up to the makespan");
    for (const Seconds idle : m.idle) require(idle.value() >= -1e-12 * makespan, "idle time is not negative");
    for (const LinkUse& l : m.links) require(l.share <= 1 + 1e-9, "no link carries more than it can");
}

}  // namespace

TEST_CASE("tokens, bytes and time are conserved") {
    for (std::uint64_t i = 0; i < scenarios; ++i) {
        INFO("random_scenario(" << i << ")");
        CHECK(simulate_and(random_scenario(i), [](const Result& r, const Metrics& m) {
                  nlohmann::json broken = nlohmann::json::array();
                  check_conservation(r, broken);
                  check_times(r, m, broken);
                  return broken;
              }) == nlohmann::json::array());
    }
}

TEST_CASE("the closed-form bound is never above the simulation") {
    for (std::uint64_t i = 0; i < scenarios; ++i) {
        INFO("random_scenario(" << i << ")");
        Scenario s = random_scenario(i);
        const double simulated = simulate_document(s)["makespan_s"].get<double>();
        s.network = NetworkKind::bound;
        CHECK(simulate_document(s)["makespan_s"].get<double>() <= simulated * (1 + 1e-9));
    }
}

TEST_CASE("the same scenario and seed give the same document") {
    for (std::uint64_t i = 0; i < 20; ++i) {
        INFO("random_scenario(" << i << ")");
        CHECK(simulate_document(random_scenario(i)).dump() == simulate_document(random_scenario(i)).dump());
    }
}
