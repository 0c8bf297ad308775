// The simulated network and clock against closed forms, to 1e-9.
#include "network/busiest_link.hpp"

#include "base/random.hpp"
#include "network/placement_loads.hpp"
#include "support/catch.hpp"
#include "support/graphs.hpp"
#include "support/in_child.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

TEST_CASE("messages over PCIe pay what the profile says of PCIe, and NICs' beyond the node", "[topology]") {
    TopologySpec spec = small_tree(2, 4);
    spec.nvlink = {};
    spec.pcie = PcieSpec{1, 2, {BytesPerSecond(1e9), Seconds(1e-6)}, LinkSpec{BytesPerSecond(1e9), Seconds(1e-6)}, {}};
    spec.bridges = {{0, 2, {BytesPerSecond(1e9), Seconds(1e-6)}}};
    const Fabric fabric = build_fabric(spec);
    Profile profile = ideal_profile();
    profile.nvlink.overhead.value = Seconds(1e-6);
    profile.nic.overhead.value = Seconds(100e-6);
    CHECK_THROWS_WITH(MessageModel(fabric, profile),
                      "profile \"ideal\": $.links.pcie: found nothing, expected an object, since the topology has PCIe "
                      "links");
    profile.pcie = profile.nic;
    profile.pcie->overhead.value = Seconds(10e-6);
    profile.pcie->efficiency.value = 0.5;
    const MessageModel model(fabric, profile);
    const auto latency = [&](std::size_t from, std::size_t to) {
        return model.latency(fabric.route(RankId(from), RankId(to))).value();
    };
    CHECK(latency(0, 2) == Approx(2e-6));    // the bridge
    CHECK(latency(0, 1) == Approx(12e-6));   // two PCIe links
    CHECK(latency(0, 3) == Approx(14e-6));   // four
    CHECK(latency(0, 4) == Approx(102e-6));  // NICs without latency, and PCIe at both ends
    CHECK(model.narrowest(fabric.route(RankId(0), RankId(1))).value() == 5e8);
    CHECK(model.narrowest(fabric.route(RankId(0), RankId(2))).value() == 1e9);
}

TEST_CASE("one flow takes its latency and its bytes over the capacity") {
    // t = latency + bytes / c = 2e-6 + 1e9 / 1e9 = 1.000002
    TaskGraph g;
    g.add(transfer(0, 1, 1'000'000'000, 2e-6));
    CHECK(finish_times(g, one_switch(2))[0] == is(1.000002));
}

TEST_CASE("a flow of one byte and one of a terabyte are both exact") {
    // 1 / 1e9 = 1e-9 s; 1e12 / 1e9 = 1000 s; they share no link.
    TaskGraph g;
    g.add(transfer(0, 1, 1));
    g.add(transfer(2, 3, 1'000'000'000'000));
    const auto t = finish_times(g, one_switch(4));
    CHECK(t[0] == is(1e-9));
    CHECK(t[1] == is(1000));
}

TEST_CASE("two flows share the link that both use") {
    // Both leave GPU 0 at c / 2 each. The first (1 GB) ends at 1e9 / (c / 2) = 2 s; by then the second (2 GB) has sent
    // 1 GB and sends the rest alone in 1 s: 3 s.
    TaskGraph g;
    g.add(transfer(0, 1, 1'000'000'000));
    g.add(transfer(0, 2, 2'000'000'000));
    const auto t = finish_times(g, one_switch(3));
    CHECK(t[0] == is(2));
    CHECK(t[1] == is(3));
}

TEST_CASE("sharing is max-min fair, whatever the latencies") {
    // Flows A: 0->2, B: 1->2, C: 1->3. GPU 1 up and GPU 2 down carry two flows each: all get c / 2, and nobody can
    // have more. All are 1 GB: A, B and C end at 2 s. Latencies of 0, 1 and 2 s only shift starts, they do not weigh:
    // with A starting at 0, B at 1: A alone sends 1 GB by 1 s. B and C then: B alone until 2 s (1 GB): done. C: 2..3 s.
    TaskGraph together, apart;
    for (const double latency : {0.0, 1.0}) {
        TaskGraph& g = latency == 0.0 ? together : apart;
        g.add(transfer(0, 2, 1'000'000'000, 0));
        g.add(transfer(1, 2, 1'000'000'000, latency));
        g.add(transfer(1, 3, 1'000'000'000, 2 * latency));
    }
    for (const double t : finish_times(together, one_switch(4))) CHECK(t == is(2));
    const auto t = finish_times(apart, one_switch(4));
    CHECK(t[0] == is(1));
    CHECK(t[1] == is(2));
    CHECK(t[2] == is(3));
}

TEST_CASE("an oversubscribed uplink is shared by all that leave the leaf") {
    // Two nodes of 4 GPUs, NIC 0.1 GB/s, oversubscription 4: uplink 4 * 0.1 / 4 = 0.1 GB/s. Four flows of 1e8 bytes,
    // one from each GPU of node 0 to its peer: 4e8 / 1e8 = 4 s. Without oversubscription each takes 1 s.
    TaskGraph g;
    for (std::size_t i = 0; i < 4; ++i) g.add(transfer(i, 4 + i, 100'000'000));
    for (const double t : finish_times(g, small_tree(2, 4, 4.0))) CHECK(t == is(4));
    for (const double t : finish_times(g, small_tree(2, 4, 1.0))) CHECK(t == is(1));
}

TEST_CASE("a uniform all-to-all on one switch takes (n - 1) b / c") {
    // n = 8, b = 1e6, c = 1e9: 7e-3 s for every message, and the closed form says the same.
    TaskGraph g;
    std::vector<Transfer> transfers;
    for (std::size_t a = 0; a < 8; ++a)
        for (std::size_t b = 0; b < 8; ++b) {
            if (a == b) continue;
            g.add(transfer(a, b, 1'000'000));
            transfers.push_back({RankId(a), RankId(b), Bytes(1'000'000)});
        }
    for (const double t : finish_times(g, one_switch(8))) CHECK(t == is(7e-3));
    const Fabric fabric = build_fabric(one_switch(8));
    CHECK(busiest_link_time(fabric, MessageModel(fabric, ideal_profile()), transfers).value() == is(7e-3));
}

TEST_CASE("a slowed GPU stretches what is running") {
    // 1 s of work. Half speed throughout: 2 s. Half speed from 0.5 s on: 0.5 + 0.5 / 0.5 = 1.5 s. Half speed between
    // 0.25 s and 0.75 s: 0.25 + 0.5 * 0.5 = 0.5 s of work done by 0.75 s, the rest at full speed: 1.25 s.
    TaskGraph g;
    for (std::size_t r = 0; r < 4; ++r) g.add(compute(r, 1.0));
    const auto t = finish_times(g, one_switch(4),
                                {{{RankId(0), Seconds(0), 0.5},
                                  {RankId(1), Seconds(0.5), 0.5},
                                  {RankId(2), Seconds(0.25), 0.5},
                                  {RankId(2), Seconds(0.75), 1.0}},
                                 {}});
    CHECK(t[0] == is(2));
    CHECK(t[1] == is(1.5));
    CHECK(t[2] == is(1.25));
    CHECK(t[3] == is(1));
}

TEST_CASE("ranks that share cores compute at what they have of them") {
    // Ranks 0, 1 and 3 on two cores, with 1, 2 and 3 s of work: three at once have 2/3 of a core each. Rank 0 ends
    // after 1.5 s; the others, with 1 and 2 s left, then have a core each, as a rank never has more: 2.5 and 3.5 s.
    // Rank 2 has its own core: 1 s. With rank 1 at half its speed, which is less than its share, the two others share
    // what it leaves, 1.5 cores: 1 / 0.75 = 1.333 s; rank 3 has 2 s left and then a core: 3.333 s; rank 1 takes 4 s.
    TaskGraph g;
    const double seconds[] = {1, 2, 1, 3};
    for (std::size_t r = 0; r < 4; ++r) g.add(compute(r, seconds[r]));
    const SharedCoresSpec two{{RankId(0), RankId(1), RankId(3)}, 2};
    const auto check = [](const std::vector<double>& found, const std::vector<double>& expected) {
        for (std::size_t i = 0; i < expected.size(); ++i) CHECK(found[i] == is(expected[i]));
    };
    for (const NetworkKind network : {NetworkKind::simgrid, NetworkKind::fluid}) {
        check(finish_times(g, one_switch(4), {{}, {two}}, {network, 0}), {1.5, 2.5, 1, 3.5});
        check(finish_times(g, one_switch(4), {{{RankId(1), Seconds(0), 0.5}}, {two}}, {network, 0}),
              {4.0 / 3, 4, 1, 10.0 / 3});
    }
}

TEST_CASE("compute and communication overlap where the graph lets them") {
    // 2 s of compute beside a 3 s transfer, then 1 s of compute that waits for both: max(2, 3) + 1 = 4 s.
    TaskGraph g;
    const TaskId work = g.add(compute(0, 2)), move = g.add(transfer(0, 1, 3'000'000'000)), then = g.add(compute(0, 1));
    g.wait(then, work);
    g.wait(then, move);
    CHECK(finish_times(g, one_switch(2))[then] == is(4));
}

TEST_CASE("a task that starts with the first of its waits does not wait for the rest") {
    TaskGraph g;
    const TaskId soon = g.add(compute(0, 1)), late = g.add(compute(1, 5));
    Task any = compute(2, 1);
    any.starts_with_first = true;
    const TaskId first = g.add(any);
    g.wait(first, soon);
    g.wait(first, late);
    CHECK(finish_times(g, one_switch(3))[first] == is(2));
}

TEST_CASE("a graph with a cycle is a fault, not a hang") {
    TaskGraph g;
    const TaskId a = g.add(compute(0, 1)), b = g.add(compute(1, 1));
    g.wait(a, b);
    g.wait(b, a);
    CHECK_THROWS_WITH(finish_times(g, one_switch(2)), "2 of 2 tasks never ran");
}

TEST_CASE("message latency is overhead, wires and ramp") {
    // overhead 5 us + two links of 1 us + half_size 1000 B / (1e9 * 0.5 B/s) = 2 us: 9 us. Capacity 0.5 GB/s.
    Profile p = ideal_profile();
    p.nvlink.efficiency.value = 0.5;
    p.nvlink.overhead.value = Seconds(5e-6);
    p.nvlink.half_size.value = Bytes(1000);
    TopologySpec spec = one_switch(2);
    spec.nvlink.latency = Seconds(1e-6);
    const Fabric fabric = build_fabric(spec);
    const MessageModel model(fabric, p);
    const Route route = fabric.route(RankId(0), RankId(1));
    CHECK(model.latency(route).value() == is(9e-6));
    CHECK(model.narrowest(route).value() == is(5e8));
}

TEST_CASE("the busiest link of a placement, for searches") {
    // Ranks 0 and 1 send 3 and 5 MB to expert 0, 2 and 4 MB to expert 1; links of 1 GB/s.
    // Expert 0 on rank 0, 1 on 1: 0 -> 1 2 MB, 1 -> 0 5 MB: 5 ms. Both on rank 0: 1 -> 0 9 MB: 9 ms.
    const Fabric fabric = build_fabric(one_switch(2));
    Matrix<double> bytes(2, 2);
    bytes(0, 0) = 3e6, bytes(1, 0) = 5e6, bytes(0, 1) = 2e6, bytes(1, 1) = 4e6;
    PlacementLoads loads(fabric, MessageModel(fabric, ideal_profile()), bytes);
    CHECK(loads.busiest(std::vector{RankId(0), RankId(1)}).value() == is(5e-3));
    CHECK(loads.busiest(std::vector{RankId(0), RankId(0)}).value() == is(9e-3));
}

TEST_CASE("it is that of the same bytes as messages") {
    const Fabric fabric = build_fabric(small_tree(4, 4, 2.0));
    const MessageModel messages(fabric, ideal_profile());
    RandomStream random(5, 5);
    for (int round = 0; round < 50; ++round) {
        Matrix<double> bytes(16, 24);
        std::vector<RankId> home;
        std::vector<Transfer> transfers;
        for (std::size_t e = 0; e < 24; ++e) home.emplace_back(random.below(16));
        for (std::size_t r = 0; r < 16; ++r)
            for (std::size_t e = 0; e < 24; ++e) {
                const std::int64_t b = random.below(1'000'000);
                bytes(r, e) = static_cast<double>(b);
                if (home[e] != RankId(r)) transfers.push_back({RankId(r), home[e], Bytes(b)});
            }
        CHECK(PlacementLoads(fabric, messages, bytes).busiest(home).value() ==
              is(busiest_link_time(fabric, messages, transfers).value()));
    }
}

TEST_CASE("a second simulation in one process is refused, since SimGrid's clock goes on") {
    const auto twice = [] {
        const Fabric fabric = build_fabric(one_switch(2));
        const Ways ways(fabric, ideal_profile());
        TaskGraph g;
        g.add(compute(0, 1));
        run_tasks(g, ways, NetworkSpec{NetworkKind::simgrid, 0}, {}, {});
        run_tasks(g, ways, NetworkSpec{NetworkKind::simgrid, 0}, {}, {});
        return nlohmann::json();
    };
    CHECK_THROWS_WITH(in_child(twice), "a process can hold one simulation only");
}
