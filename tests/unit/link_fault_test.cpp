// Links that lose capacity, flap and fail, in cases worked out by hand; start-ups that vary.
#include "engine/jitter.hpp"

#include <array>

#include "engine/collective.hpp"
#include "network/detour.hpp"
#include "network/link_faults.hpp"
#include "support/catch.hpp"
#include "support/graphs.hpp"
#include "support/in_child.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

LinkFault fault(const std::string& link, double capacity, double from = 0) {
    LinkFault f;
    f.link = link;
    f.capacity = capacity;
    f.from = Seconds(from);
    return f;
}

NetworkSpec with(std::vector<LinkFault> faults, std::optional<double> reroute_after = {}, double time_out = 10) {
    NetworkSpec n;
    n.tolerance = 0;
    n.faults.links = std::move(faults);
    if (reroute_after) n.faults.reroute_after = Seconds(*reroute_after);
    n.faults.time_out = Seconds(time_out);
    return n;
}

// What became of a graph whose transfers may stall.
nlohmann::json report_of(const TaskGraph& graph, const TopologySpec& topology, const NetworkSpec& network) {
    return in_child([&] {
        const Fabric fabric = build_fabric(topology);
        const Ways ways(fabric, ideal_profile());
        const NetworkReport r = run_tasks(graph, ways, network, {}, {}).network;
        if (!r.stalled) return nlohmann::json{{"rerouted", r.rerouted}};
        return nlohmann::json{{"token", r.stalled->token},
                              {"link", fabric.link(r.stalled->link).name},
                              {"since", r.stalled->since.value()},
                              {"now", r.stalled->now.value()}};
    });
}

}  // namespace

TEST_CASE("a link that is slow for a while delays what is on it") {
    // 1 GB at 1 GB/s, at half of that from 0.4 to 0.8 s: 0.4 + 0.2 GB by then, the other 0.4 GB until 1.2 s.
    TaskGraph g;
    g.add(transfer(0, 1, 1'000'000'000));
    LinkFault slow = fault("gpu0.nvlink.up", 0.5, 0.4);
    slow.until = Seconds(0.8);
    CHECK(finish_times(g, one_switch(2), {}, with({slow}))[0] == is(1.2));
    // Twice at once: a quarter in the while: 0.4 + 0.1, then 0.5 more: 1.3 s.
    CHECK(finish_times(g, one_switch(2), {}, with({slow, slow}))[0] == is(1.3));
    // A name without a direction means both; the way back is as slow: nothing else uses it.
    slow.link = "gpu0.nvlink";
    CHECK(finish_times(g, one_switch(2), {}, with({slow}))[0] == is(1.2));
}

TEST_CASE("a link that flaps carries what its up times allow") {
    // Down for the first 0.5 ms of every 1 ms: 10 MB at 1 GB/s take 10 ms of up time, which 20 periods have: 20 ms.
    TaskGraph g;
    g.add(transfer(0, 1, 10'000'000));
    LinkFault flaps = fault("gpu1.nvlink.down", 0);
    flaps.flapping = {Seconds(1e-3), Seconds(0.5e-3)};
    CHECK(finish_times(g, one_switch(2), {}, with({flaps}))[0] == is(20e-3));
}

TEST_CASE("a transfer over a link that failed waits until it is back") {
    // 1 GB at 1 GB/s; nothing from 0.5 to 3 s: 3.5 s. Another pair does not mind.
    TaskGraph g;
    g.add(transfer(0, 1, 1'000'000'000));
    g.add(transfer(2, 3, 1'000'000'000));
    LinkFault fails = fault("gpu0.nvlink.up", 0, 0.5);
    fails.until = Seconds(3);
    const auto t = finish_times(g, one_switch(4), {}, with({fails}));
    CHECK(t[0] == is(3.5));
    CHECK(t[1] == is(1));
}

TEST_CASE("a transfer that can never end stops the run after the time-out, and is named") {
    TaskGraph g;
    g.add(transfer(2, 3, 1'000'000'000));
    g.add(transfer(0, 1, 1'000'000'000));
    // Fails at 0.5 s for good: 0.5 + 2 s.
    auto r = report_of(g, one_switch(4), with({fault("gpu1.nvlink.down", 0, 0.5)}, {}, 2));
    CHECK(r["token"] == 1);
    CHECK(r["link"] == "gpu1.nvlink.down");
    CHECK(r["since"].get<double>() == is(0.5));
    CHECK(r["now"].get<double>() == is(2.5));
    // With nowhere else to go, knowing does not help.
    r = report_of(g, one_switch(4), with({fault("gpu1.nvlink.down", 0, 0.5)}, 0.1, 2));
    CHECK(r["now"].get<double>() == is(2.5));
    // A transfer that starts later has its own time: at 1 s, + 2 s.
    TaskGraph late;
    late.add(transfer(0, 1, 1'000'000'000, 1.0));
    r = report_of(late, one_switch(2), with({fault("gpu0.nvlink.up", 0)}, {}, 2));
    CHECK(r["now"].get<double>() == is(3));
    CHECK(r["since"].get<double>() == is(1));
}

TEST_CASE("a transfer takes another way once its link is known to have failed") {
    // Two nodes of two GPUs, NICs of 0.1 GB/s. 0 -> 2, 100 MB: half by 0.5 s, when GPU 0's NIC fails. Known at 0.6 s:
    // over NVLink to GPU 1 and its NIC. The other half takes 0.5 s: 1.1 s.
    TaskGraph g;
    g.add(transfer(0, 2, 100'000'000));
    const NetworkSpec network = with({fault("gpu0.nic.up", 0, 0.5)}, 0.1);
    CHECK(finish_times(g, small_tree(2, 2), {}, network)[0] == is(1.1));
    CHECK(report_of(g, small_tree(2, 2), network)["rerouted"] == 1);
    // What starts later takes the other way at once: 1 s after its start.
    TaskGraph late;
    late.add(transfer(0, 2, 100'000'000, 2.0));
    CHECK(finish_times(late, small_tree(2, 2), {}, network)[0] == is(3));
}

TEST_CASE("a detour is the shortest way around") {
    const Fabric fabric = build_fabric(small_tree(2, 2));
    std::vector<double> left(fabric.links().size());
    const auto names = [&](const std::optional<Route>& route) {
        std::vector<std::string> all;
        for (const LinkId l : route->links()) all.push_back(fabric.link(l).name);
        return all;
    };
    for (std::size_t l = 0; l < left.size(); ++l) left[l] = fabric.links()[l].name == "gpu0.nic.up" ? 0 : 1;
    CHECK(names(Detours(fabric).find(RankId(0), RankId(2), left)) ==
          std::vector<std::string>{"gpu0.nvlink.up", "gpu1.nvlink.down", "gpu1.nic.up", "leaf0.uplink.up",
                                   "leaf1.uplink.down", "gpu2.nic.down"});
    for (std::size_t l = 0; l < left.size(); ++l) left[l] = fabric.links()[l].name == "leaf0.uplink.up" ? 0 : 1;
    CHECK_FALSE(Detours(fabric).find(RankId(0), RankId(2), left));
}

TEST_CASE("faults of capacity: what is left, and when it changes next") {
    const Fabric fabric = build_fabric(one_switch(2));
    LinkFault flaps = fault("gpu0.nvlink.up", 0.5, 1);
    flaps.until = Seconds(2.25);
    flaps.flapping = {Seconds(0.5), Seconds(0.125)};
    FaultsSpec spec;
    spec.links = {flaps};
    const LinkFaults faults(spec, fabric);
    const LinkId link(0);
    // Down 1 to 1.125, 1.5 to 1.625, 2 to 2.125.
    for (const auto& [t, left, next] : std::vector<std::tuple<double, double, double>>{
             {0.5, 1, 1}, {1, 0.5, 1.125}, {1.125, 1, 1.5}, {1.5, 0.5, 1.625}, {2.1, 0.5, 2.125}, {2.2, 1, 2.25}}) {
        CHECK(faults.left(link, t) == left);
        CHECK(faults.next_change(t) == is(next));
    }
    CHECK(faults.next_change(2.25) == std::numeric_limits<double>::infinity());
    spec.links[0].link = "gpu7.nvlink";
    CHECK_THROWS_WITH(
        LinkFaults(spec, fabric, "s.json"),
        "s.json: $.network.faults.links[0].link: found \"gpu7.nvlink\", expected the name of a link of the "
        "topology, such as \"gpu0.nvlink.up\"");
}

TEST_CASE("a run whose transfer stalls says which, where and when") {
    Scenario s = tiny(2, 8);
    s.network = with({fault("gpu1.nvlink.up", 0)}, {}, 2);
    CHECK_THROWS_WITH(simulate_document(s),
                      Catch::Matchers::Contains("a transfer of return in layer 0 from rank 1") ||
                          Catch::Matchers::Contains("a transfer of dispatch in layer 0 from rank 1"));
    CHECK_THROWS_WITH(simulate_document(s), Catch::Matchers::Contains("since link gpu1.nvlink.up has failed"));
}

TEST_CASE("start-ups vary by the profile's quantiles, and by nothing else than the seed") {
    // Quantiles 1 and 3 of 1 us: between 1 and 3 us, 2 us on average. What comes before that does not vary: 5 us of the
    // last task, which so takes 6 to 8 us.
    Profile p = ideal_profile();
    p.nvlink.overhead.value = Seconds(1e-6);
    p.nvlink.jitter = {{1, 3}, "test"};
    const Fabric fabric = build_fabric(one_switch(2));
    const auto latencies = [&](std::uint64_t seed) {
        TaskGraph g;
        for (int i = 0; i < 4000; ++i) g.add(transfer(0, 1, 1, 1e-6));
        g.add(compute(0, 1));
        Task late = transfer(0, 1, 1, 6e-6);
        late.before_start_up = Seconds(5e-6);
        g.add(late);
        add_jitter(g, fabric, MessageModel(fabric, p), seed);
        std::vector<double> all;
        for (const Task& t : g.tasks()) all.push_back(t.latency.value());
        return all;
    };
    const auto a = latencies(1);
    double sum = 0, least = 1, most = 0;
    for (std::size_t i = 0; i < 4000; ++i) {
        sum += a[i];
        least = std::min(least, a[i]);
        most = std::max(most, a[i]);
    }
    CHECK(sum / 4000 == Approx(2e-6).epsilon(0.02));
    CHECK((least >= 1e-6 && least < 1.01e-6 && most <= 3e-6 && most > 2.99e-6));
    CHECK(a[4000] == 0);
    CHECK((a[4001] >= 6e-6 && a[4001] <= 8e-6));
    CHECK(latencies(1) == a);
    CHECK(latencies(2) != a);
}

TEST_CASE("each step of a ring has a start-up that varies") {
    // Of two ranks: there and back, two steps of 1 us each way around, all three times as long.
    Profile p = ideal_profile();
    p.nvlink.overhead.value = Seconds(1e-6);
    p.nvlink.jitter = {{3, 3}, "test"};
    const Fabric fabric = build_fabric(one_switch(2));
    const MessageModel model(fabric, p);
    TaskGraph g;
    const std::array<RankId, 2> ranks = {RankId(0), RankId(1)};
    const std::array<TaskId, 2> before = {g.add(compute(0, 1)), g.add(compute(1, 1))};
    add_ring_all_reduce(g, {}, ranks, before, Bytes(100), 1, NetworkKind::fluid, fabric, model);
    add_jitter(g, fabric, model, 1);
    std::size_t transfers = 0;
    for (const Task& t : g.tasks()) {
        if (t.kind != TaskKind::transfer) continue;
        ++transfers;
        CHECK(t.latency.value() == is(6e-6));
    }
    CHECK(transfers == 2);
}
