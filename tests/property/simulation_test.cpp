// What holds for every scenario.
#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "network/library/library_call.hpp"
#include "support/cases.hpp"
#include "support/catch.hpp"
#include "support/random_scenario.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr std::uint64_t scenarios = moesim::test::cases(200);

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

// Bytes of a token's row there and back.
std::pair<std::int64_t, std::int64_t> rows_of(const Result& r) {
    const Scenario& s = r.plan.scenario;
    const RankGrid grid(s.parallelism);
    const auto row = [&](Direction direction, Dtype dtype) {
        const auto call = make_library_call(s, direction, grid, r.plan.fabric);
        return call ? call->row().value() : s.model.hidden * bytes_of(dtype);
    };
    return {row(Direction::dispatch, s.dispatch.dtype), row(Direction::return_, s.dispatch.return_dtype)};
}

// Whether what a message puts on links is its bytes, no flags beside them.
bool plain_bytes(const Scenario& s) {
    return s.dispatch.library != Library::nccl || !s.profile.collectives.nccl->flagged;
}

// What the simulated messages carried, against what was counted.
template <class Require>
void check_messages(const Result& r, const Require& require) {
    const Fabric& fabric = r.plan.fabric;
    Matrix<std::int64_t> sent(fabric.ranks(), fabric.ranks());
    std::vector<Bytes> carried(fabric.links().size());
    std::map<std::tuple<Stage, std::size_t, std::size_t>, std::int64_t> by_pair;
    for (const Task& t : r.graph.tasks()) {
        if (t.bytes == Bytes{}) continue;
        const Route route = r.ways->fabric(t.way).route(t.label.rank, t.peer);
        for (const LinkId l : route.links()) carried[l.value()] += t.bytes;
        if (t.label.rank == t.peer) continue;
        sent(t.label.rank.value(), t.peer.value()) += t.bytes.value();
        if (t.label.stream != Stream::tensor)
            by_pair[{t.label.stage, t.label.rank.value(), t.peer.value()}] += t.bytes.value();
    }
    const bool plain = plain_bytes(r.plan.scenario);
    require(!plain || sent.values() == r.rank_bytes.values(), "traffic between ranks is what the messages carried");
    require(carried == r.link_bytes, "so is that on links");
    const DispatchSpec& d = r.plan.scenario.dispatch;
    const auto [row, row_back] = rows_of(r);
    for (const auto& [key, bytes] : by_pair) {
        const auto& [stage, from, to] = key;
        if (!plain || stage != Stage::dispatch || d.algorithm == Algorithm::context_coherent) continue;
        require(bytes * row_back == by_pair[{Stage::return_, to, from}] * row,
                "every pair returns the rows that it exchanged");
    }
    for (std::size_t rank = 0; rank < fabric.ranks(); ++rank) {
        std::int64_t up = 0, down = 0;
        for (std::size_t l = 0; l < fabric.links().size(); ++l) {
            const std::string& name = fabric.links()[l].name;
            if (fabric.links()[l].from == fabric.links()[l].to) continue;  // a call's, beside them
            if (name.rfind("gpu" + std::to_string(rank) + ".", 0) != 0) continue;
            (name.find(".up") != std::string::npos ? up : down) += carried[l].value();
        }
        require(up == row_sum(sent, rank), "a rank's links carry what it sends");
        require(down == column_sum(sent, rank), "and what it gets");
    }
}

// Names of what is violated.
void check_conservation(const Result& r, nlohmann::json& broken) {
    const auto require = [&](bool holds, const char* what) {
        if (!holds) broken.push_back(what);
    };
    const Scenario& s = r.plan.scenario;
    for (const LayerLoad& l : r.layers) {
        const bool exact = fills_every_place(s.routing);
        const std::int64_t places = s.batch.tokens() * s.model.top_k;
        require(exact ? l.chosen == places : s.routing.policy == Policy::expert_choice || l.chosen <= places,
                "every token makes k choices, or fewer where the policy lets it");
        require(
            std::accumulate(l.expert_tokens.begin(), l.expert_tokens.end(), std::int64_t{0}) == l.chosen - l.dropped,
            "experts compute all that was not dropped");
        require(std::accumulate(l.rank_tokens.begin(), l.rank_tokens.end(), std::int64_t{0}) ==
                    (l.chosen - l.dropped) * s.parallelism.tensor,
                "so do ranks");
        require(s.routing.capacity_factor || l.dropped == 0, "nothing is dropped without a capacity");
    }
    // What comes back is what went, row by row; only the number format may differ.
    const NetworkTraffic& t = r.traffic;
    const bool mirrored = s.dispatch.algorithm != Algorithm::context_coherent;  // else tokens stay where they are
    const auto [row, row_back] = rows_of(r);
    require(!mirrored || t.dispatch.bytes * row_back == t.return_.bytes * row, "what leaves comes back");
    require(!mirrored || t.dispatch.messages == t.return_.messages, "message for message");
    require(t.dispatch.bytes + t.return_.bytes + t.tensor.bytes + t.context.bytes == t.inside_nodes + t.between_nodes,
            "all traffic is inside or between nodes");
    check_messages(r, require);
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
    std::map<std::pair<RankId, Stream>, Seconds> stream_end;
    for (const CollectiveSpan& span : r.graph.spans()) {
        Seconds& end = stream_end[{span.label.rank, span.label.stream}];
        require(r.times[span.issue].finish >= end, "a stream does one thing at a time");
        end = r.times[span.done].finish;
    }
}

}  // namespace

TEST_CASE("tokens, bytes and time are conserved") {
    for (std::uint64_t i = 0; i < scenarios; ++i) {
        INFO("random_scenario(" << i << ")");
        Scenario s = random_scenario(i);
        for (const NetworkKind network : {NetworkKind::simgrid, NetworkKind::fluid, NetworkKind::bound}) {
            s.network.model = network;
            CHECK(simulate_and(s, [](const Result& r, const Metrics& m) {
                      nlohmann::json broken = nlohmann::json::array();
                      check_conservation(r, broken);
                      check_times(r, m, broken);
                      return broken;
                  }) == nlohmann::json::array());
        }
    }
}

TEST_CASE("so are they in a library's calls") {
    for (std::uint64_t i = 0; i < scenarios; ++i) {
        INFO("random_library_scenario(" << i << ")");
        Scenario s = random_library_scenario(i);
        for (const NetworkKind network : {NetworkKind::fluid, NetworkKind::bound}) {
            s.network.model = network;
            CHECK(simulate_and(s, [](const Result& r, const Metrics& m) {
                      nlohmann::json broken = nlohmann::json::array();
                      check_conservation(r, broken);
                      check_times(r, m, broken);
                      return broken;
                  }) == nlohmann::json::array());
        }
    }
}

// Not where ranks share cores: whoever begins earlier there may hold up others, so that exchanges which take less can
// make a whole longer (Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM J. Appl. Math. 17(2), 1969).
TEST_CASE("the closed-form bound of a library's calls is never above the simulation") {
    for (std::uint64_t i = 0; i < scenarios; ++i) {
        INFO("random_library_scenario(" << i << ")");
        Scenario s = random_library_scenario(i);
        s.shared_cores.clear();
        s.network.tolerance = 0;
        const double simulated = simulate_document(s)["makespan_s"].get<double>();
        s.network.tolerance = NetworkSpec{}.tolerance;
        CHECK(std::abs(simulate_document(s)["makespan_s"].get<double>() / simulated - 1) < 0.005);
        s.network.model = NetworkKind::bound;
        CHECK(simulate_document(s)["makespan_s"].get<double>() <= simulated * (1 + 1e-9));
    }
}

TEST_CASE("the closed-form bound is never above the simulation") {
    for (std::uint64_t i = 0; i < scenarios; ++i) {
        INFO("random_scenario(" << i << ")");
        Scenario s = random_scenario(i);
        s.shared_cores.clear();
        s.network.model = NetworkKind::simgrid;
        const double simulated = simulate_document(s)["makespan_s"].get<double>();
        s.network.model = NetworkKind::bound;
        CHECK(simulate_document(s)["makespan_s"].get<double>() <= simulated * (1 + 1e-9));
    }
}

TEST_CASE("the fluid network gives SimGrid's times: exactly, or within its tolerance") {
    const auto finish_times = [](const Scenario& s) {
        return simulate_and(s,
                            [](const Result& r, const Metrics&) {
                                std::vector<double> finish;
                                for (const TaskTime& t : r.times) finish.push_back(t.finish.value());
                                return nlohmann::json(finish);
                            })
            .get<std::vector<double>>();
    };
    for (std::uint64_t i = 0; i < scenarios; ++i) {
        INFO("random_scenario(" << i << ")");
        Scenario s = random_scenario(i);
        s.network.model = NetworkKind::simgrid;
        const auto reference = finish_times(s);
        const double makespan = *std::max_element(reference.begin(), reference.end());
        s.network = {NetworkKind::fluid, 0};
        const auto exact = finish_times(s);
        REQUIRE(exact.size() == reference.size());
        double worst = 0;
        for (std::size_t t = 0; t < exact.size(); ++t) worst = std::max(worst, std::abs(exact[t] - reference[t]));
        CHECK(worst <= 1e-6 * makespan);
        s.network.tolerance = NetworkSpec{}.tolerance;
        const auto quick = finish_times(s);
        CHECK(std::abs(*std::max_element(quick.begin(), quick.end()) / makespan - 1) < 0.005);
    }
}

TEST_CASE("the same scenario and seed give the same document") {
    for (std::uint64_t i = 0; i < 20; ++i) {
        INFO("random_scenario(" << i << ")");
        CHECK(simulate_document(random_scenario(i)).dump() == simulate_document(random_scenario(i)).dump());
    }
}
