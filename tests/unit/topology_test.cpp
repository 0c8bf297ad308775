#include <fmt/format.h>

#include <filesystem>

#include "config/topology_import/read_topology.hpp"
#include "support/catch.hpp"
#include "support/scenarios.hpp"
#include "support/topologies.hpp"
#include "topology/bisection.hpp"
#include "topology/describe.hpp"
#include "topology/ecmp.hpp"
#include "topology/fabric.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {
using Names = std::vector<std::string>;
}

TEST_CASE("routes of a fat tree go no higher than they must") {
    TopologySpec spec = small_tree(4, 2);
    spec.nodes_per_leaf = 2;
    const Fabric f = build_fabric(spec);
    CHECK(route_names(f, 0, 1) == Names{"gpu0.nvlink.up", "gpu1.nvlink.down"});
    CHECK(route_names(f, 0, 3) == Names{"gpu0.nic.up", "gpu3.nic.down"});
    CHECK(route_names(f, 1, 6) == Names{"gpu1.nic.up", "leaf0.uplink.up", "leaf1.uplink.down", "gpu6.nic.down"});
    CHECK(f.ranks() == 8);
    CHECK(f.nodes() == 4);
    CHECK(f.links().size() == 8 * 4 + 2 * 2);
}

TEST_CASE("latency adds up over the route") {
    TopologySpec spec = small_tree(2, 2);
    spec.nic.latency = Seconds(1e-6);
    spec.uplink.latency = Seconds(0.5e-6);
    const Fabric f = build_fabric(spec);
    CHECK(f.latency(f.route(RankId(0), RankId(2))).value() == Approx(3e-6));  // 1 + 0.5 + 0.5 + 1
}

TEST_CASE("a node count that does not fill the last leaf still has all its leaves") {
    TopologySpec spec = small_tree(3, 1);
    spec.nodes_per_leaf = 2;
    const Fabric f = build_fabric(spec);
    CHECK(route_names(f, 0, 2).size() == 4);
    CHECK(f.links().size() == 3 * 4 + 2 * 2);
}

// Each of these writes out first what is expected, by hand.

TEST_CASE("a PCIe node: by switch, by socket, between sockets, over a bridge", "[topology]") {
    // GPUs 0 1 | 2 3 || 4 5 | 6 7: | between switches, || between sockets.
    TopologySpec spec = small_pcie();
    const Fabric f = build_fabric(spec);
    CHECK(route_names(f, 0, 1) == Names{"gpu0.pcie.up", "gpu1.pcie.down"});
    CHECK(route_names(f, 0, 3) == Names{"gpu0.pcie.up", "node0.pcie0.up", "node0.pcie1.down", "gpu3.pcie.down"});
    CHECK(route_names(f, 7, 2) ==
          Names{"gpu7.pcie.up", "node0.pcie3.up", "node0.socket1-socket0", "node0.pcie1.down", "gpu2.pcie.down"});
    CHECK(f.latency(f.route(RankId(7), RankId(2))).value() == Approx(5e-6));
    CHECK(f.links().size() == 8 * 2 + 4 * 2 + 2);
    // Between the sockets' halves there is one link of 1 GB/s; all 4 x 4 pairs share it.
    CHECK(bisection_bandwidth(f).value() == 1e9);
    CHECK(describe(f).bisection_all_pairs.value() == Approx(1e9));
    spec.bridges = {{0, 4, link_spec(2e9)}};
    const Fabric bridged = build_fabric(spec);
    CHECK(route_names(bridged, 0, 4) == Names{"gpu0-gpu4.up"});
    CHECK(route_names(bridged, 4, 0) == Names{"gpu0-gpu4.down"});
    CHECK(route_names(bridged, 0, 1) == route_names(f, 0, 1));
    CHECK(bisection_bandwidth(bridged).value() == 3e9);
    // 15 pairs over the sockets' link, one over the bridge: 16 pairs at 1e9 / 15 each.
    CHECK(describe(bridged).bisection_all_pairs.value() == Approx(16e9 / 15));
}

TEST_CASE("in a PCIe cluster what goes to the network takes the GPU's PCIe link", "[topology]") {
    TopologySpec spec = small_tree(2, 4);
    spec.nvlink = {};
    spec.pcie = PcieSpec{1, 2, link_spec(1e9), link_spec(1e9), std::nullopt};
    const Fabric f = build_fabric(spec);
    CHECK(route_names(f, 1, 6) == Names{"gpu1.pcie.up", "gpu1.nic.up", "leaf0.uplink.up", "leaf1.uplink.down",
                                        "gpu6.nic.down", "gpu6.pcie.down"});
    CHECK(route_names(f, 0, 2) == Names{"gpu0.pcie.up", "node0.pcie0.up", "node0.pcie1.down", "gpu2.pcie.down"});
}

TEST_CASE("a fat tree's bisection is that of its uplinks, NICs or NVLinks, whichever is least", "[topology]") {
    // Two nodes of two, a leaf each: 2 NICs of 0.1 GB/s a leaf.
    CHECK(bisection_bandwidth(build_fabric(small_tree(2, 2, 1))).value() == 2e8);
    CHECK(bisection_bandwidth(build_fabric(small_tree(2, 2, 4))).value() == 5e7);
    CHECK(bisection_bandwidth(build_fabric(small_tree(2, 2, 0.5))).value() == 2e8);
    // One node of four: two senders of 1 GB/s.
    CHECK(bisection_bandwidth(build_fabric(one_switch(4))).value() == 2e9);
    CHECK(bisection_bandwidth(build_fabric(one_switch(1))).value() == 0);
    // Three GPUs: the first to the other two.
    CHECK(bisection_bandwidth(build_fabric(one_switch(3))).value() == 1e9);
}

TEST_CASE("rails: within a rail, across rails through the spine or inside the sender's node", "[topology]") {
    // Four nodes of two: leaf0.rail0 and leaf0.rail1 serve nodes 0 and 1, leaf1.* nodes 2 and 3.
    const Fabric spine = build_fabric(small_rails(4, 2, CrossRail::spine));
    CHECK(route_names(spine, 0, 1) == Names{"gpu0.nvlink.up", "gpu1.nvlink.down"});
    CHECK(route_names(spine, 0, 2) == Names{"gpu0.nic.up", "gpu2.nic.down"});
    CHECK(route_names(spine, 0, 3) ==
          Names{"gpu0.nic.up", "leaf0.rail0.uplink.up", "leaf0.rail1.uplink.down", "gpu3.nic.down"});
    CHECK(route_names(spine, 1, 7) ==
          Names{"gpu1.nic.up", "leaf0.rail1.uplink.up", "leaf1.rail1.uplink.down", "gpu7.nic.down"});
    // Four leaves; two of them on each side, two NICs of 0.1 GB/s each.
    CHECK(bisection_bandwidth(spine).value() == 4e8);
    const Fabric nvlink = build_fabric(small_rails(4, 2, CrossRail::nvlink));
    CHECK(route_names(nvlink, 0, 2) == Names{"gpu0.nic.up", "gpu2.nic.down"});
    CHECK(route_names(nvlink, 0, 3) == Names{"gpu0.nvlink.up", "gpu1.nvlink.down", "gpu1.nic.up", "gpu3.nic.down"});
    CHECK(route_names(nvlink, 0, 7) == Names{"gpu0.nvlink.up", "gpu1.nvlink.down", "gpu1.nic.up",
                                             "leaf0.rail1.uplink.up", "leaf1.rail1.uplink.down", "gpu7.nic.down"});
    CHECK(nvlink.latency(nvlink.route(RankId(0), RankId(7))).value() == Approx(6e-6));
}

TEST_CASE("rails alone, without a spine", "[topology]") {
    TopologySpec spec = small_rails(2, 2, CrossRail::nvlink);
    spec.uplink = {};
    CHECK(read_back(spec) == spec);
    const Fabric f = build_fabric(spec);
    CHECK(f.links().size() == 4 * 4);
    CHECK(route_names(f, 0, 3) == Names{"gpu0.nvlink.up", "gpu1.nvlink.down", "gpu1.nic.up", "gpu3.nic.down"});
}

TEST_CASE("a Clos of three levels", "[topology]") {
    // Leaves 0 1 | 2 3 in pods 0 | 1; a leaf's uplinks carry 0.2 GB/s, a pod's 0.2.
    const Fabric f = build_fabric(small_clos(EqualPaths::spread));
    CHECK(route_names(f, 0, 1) == Names{"gpu0.nic.up", "gpu1.nic.down"});
    CHECK(route_names(f, 0, 2) == Names{"gpu0.nic.up", "leaf0.uplink.up", "leaf1.uplink.down", "gpu2.nic.down"});
    CHECK(route_names(f, 0, 7) == Names{"gpu0.nic.up", "leaf0.uplink.up", "pod0.uplink.up", "pod1.uplink.down",
                                        "leaf3.uplink.down", "gpu7.nic.down"});
    CHECK(f.latency(f.route(RankId(0), RankId(7))).value() == Approx(8e-6));  // 1 1 2 2 1 1
    CHECK(bisection_bandwidth(f).value() == 2e8);
    const TopologyDescription d = describe(f);
    // Each of 8 has 1 at its leaf, 2 in its pod, 4 beyond.
    CHECK(d.pairs_by_hops == std::vector<std::int64_t>{0, 0, 8, 0, 16, 0, 32});
    CHECK(d.mean_hops == Approx((8 * 2 + 16 * 4 + 32 * 6) / 56.0));
    REQUIRE(d.classes.size() == 3);
    CHECK(d.classes[2].narrowest.least.value() == 1e8);
}

TEST_CASE("a hashed Clos goes up and down over one core, by the aggregation switch that is linked to it",
          "[topology]") {
    const TopologySpec spec = small_clos(EqualPaths::hash);
    const Fabric f = build_fabric(spec);
    // 4 leaves x 2 aggregation switches, 2 pods x 4 cores, of 0.1 and 0.05 GB/s.
    CHECK(f.links().size() == 8 * 4 + 2 * (4 * 2 + 2 * 4));
    for (std::size_t to = 4; to < 8; ++to) {
        const std::size_t core = equal_path(RankId(0), RankId(to), 4);
        CHECK(route_names(f, 0, to) ==
              Names{"gpu0.nic.up", fmt::format("leaf0.uplink{}.up", core / 2), fmt::format("pod0.uplink{}.up", core),
                    fmt::format("pod1.uplink{}.down", core), fmt::format("leaf{}.uplink{}.down", to / 2, core / 2),
                    fmt::format("gpu{}.nic.down", to)});
    }
    CHECK(bisection_bandwidth(f).value() == 2e8);
}

TEST_CASE("a dragonfly goes at most local, global, local", "[topology]") {
    // Groups of routers 0 1: group 0's links go to group 1 (router 0) and 2 (router 1); group 1's to 0 (router 0) and
    // 2 (router 1); group 2's to 0 (router 0) and 1 (router 1). GPU 2g + r is at router r of group g.
    const Fabric f = build_fabric(small_dragonfly());
    CHECK(route_names(f, 0, 1) == Names{"gpu0.nic.up", "group0.router0-router1", "gpu1.nic.down"});
    CHECK(route_names(f, 0, 2) == Names{"gpu0.nic.up", "group0-group1", "gpu2.nic.down"});
    CHECK(route_names(f, 0, 5) ==
          Names{"gpu0.nic.up", "group0.router0-router1", "group0-group2", "group2.router0-router1", "gpu5.nic.down"});
    CHECK(f.links().size() == 6 * 2 + 3 * 2 + 6);
    // The first half is group 0 and router 0 of group 1. Cut: both of group 0's links but the one between groups 0 and
    // 1, which ends at router 0: so 0.1 to group 2 and the local link of 0.2 in group 1.
    CHECK(bisection_bandwidth(f).value() == 3e8);
}

TEST_CASE("a torus goes dimension by dimension, the shorter way, forward where both are as long", "[topology]") {
    // Router 3 is (3, 0), router 4 is (0, 1).
    const Fabric f = build_fabric(small_torus({4, 3}));
    CHECK(route_names(f, 0, 3) == Names{"gpu0.nic.up", "router0.x-", "gpu3.nic.down"});
    CHECK(route_names(f, 0, 2) == Names{"gpu0.nic.up", "router0.x+", "router1.x+", "gpu2.nic.down"});
    CHECK(route_names(f, 2, 0) == Names{"gpu2.nic.up", "router2.x+", "router3.x+", "gpu0.nic.down"});
    CHECK(route_names(f, 0, 9) == Names{"gpu0.nic.up", "router0.x+", "router1.y-", "gpu9.nic.down"});
    CHECK(f.links().size() == 12 * (2 + 4));
    // Each of the four rings of y is cut at two places by the halves [0, 6) and [6, 12): y 0, half of 1 | half of 1, 2.
    // Columns 0 and 1 have y 0 1 | 2, columns 2 and 3 y 0 | 1 2: two links each, and two of x in row 1 (1-2, 3-0).
    CHECK(bisection_bandwidth(f).value() == 1e9);
    // A ring of two has one link each way; 4 x 4 x 4 is cut by 2 x 16 links.
    CHECK(build_fabric(small_torus({2})).links().size() == 2 * (2 + 1));
    CHECK(bisection_bandwidth(build_fabric(small_torus({4, 4, 4}))).value() == 32e8);
}

TEST_CASE("a ring of eight: how far, and how much all pairs get across", "[topology]") {
    const TopologyDescription d = describe(build_fabric(small_torus({8})));
    // Distances 1, 2, 3 both ways and 4: with both NICs 3 to 6 links.
    CHECK(d.pairs_by_hops == std::vector<std::int64_t>{0, 0, 0, 16, 16, 16, 8});
    CHECK(d.bisection.value() == 2e8);
    // From 0..3 to 4..7: 1 + 2 + 3 + 4 pairs go forward over the link 3-4, and 6 back over 0-7.
    CHECK(d.bisection_all_pairs.value() == Approx(16 * 1e8 / 10));
}

TEST_CASE("a list of links is routed by hops, then rate, then latency, then the lowest id", "[topology]") {
    TopologySpec spec = small_list();
    CHECK(read_back(spec) == spec);
    const Fabric f = build_fabric(spec);
    CHECK(f.nodes() == 2);
    CHECK(route_names(f, 0, 1) == Names{"bridge.up"});
    CHECK(route_names(f, 0, 2) == Names{"nic0.up", "nic2.down"});
    CHECK_FALSE(f.crosses_nodes(RankId(0), RankId(1)));
    CHECK(f.crosses_nodes(RankId(1), RankId(2)));
    // A second way to the switch: as good, so the first one stays; sooner there, so it is taken; slower, so it is not.
    spec.list.links.push_back({"second", 0, 3, spec.list.links[2].spec, LinkClass::nic});
    REQUIRE(spec.list.links[2].name == "nic0.up");
    CHECK(route_names(build_fabric(spec), 0, 2) == Names{"nic0.up", "nic2.down"});
    spec.list.links.back().spec.latency = Seconds(0.5e-6);
    CHECK(route_names(build_fabric(spec), 0, 2) == Names{"second", "nic2.down"});
    spec.list.links.back().spec.bandwidth = spec.list.links[2].spec.bandwidth * 0.5;
    CHECK(route_names(build_fabric(spec), 0, 2) == Names{"nic0.up", "nic2.down"});
}

TEST_CASE("GPUs of a list pass nothing on unless it says so", "[topology]") {
    TopologySpec spec = small_list();
    auto& links = spec.list.links;
    links.erase(links.begin() + 2, links.begin() + 4);  // GPU 0 is left with the bridge
    CHECK_THROWS_WITH(read_back(spec),
                      "written: $.links: found no way from gpu2 to gpu0, expected one between all GPUs "
                      "that passes through none (gpus_forward allows it)");
    spec.list.gpus_forward = true;
    CHECK(read_back(spec) == spec);
    CHECK(route_names(build_fabric(spec), 0, 2) == Names{"bridge.up", "nic1.up", "nic2.down"});
}

TEST_CASE("what is different in some nodes or GPUs, the last word counting", "[topology]") {
    TopologySpec spec = small_tree(3, 2);
    OverrideSpec slow;
    slow.nodes = {1, 2};
    slow.nic = link_spec(5e7, 1e-6);
    slow.speed = 0.5;
    OverrideSpec worse;
    worse.nodes = {2};
    worse.gpus = {1};
    worse.nvlink = link_spec(1e8);
    worse.speed = 0.25;
    spec.overrides = {slow, worse};
    CHECK(read_back(spec) == spec);
    const Fabric f = build_fabric(spec);
    const auto capacity = [&](std::size_t from, std::size_t to, std::size_t which) {
        const Route r = f.route(RankId(from), RankId(to));
        return f.link(r.links()[which]).capacity.value();
    };
    CHECK(capacity(0, 2, 0) == 1e8);  // gpu0.nic.up
    CHECK(capacity(2, 0, 0) == 5e7);  // gpu2.nic.up
    CHECK(capacity(5, 0, 0) == 5e7);  // gpu5.nic.up
    CHECK(capacity(4, 5, 0) == 1e9);  // gpu4.nvlink.up
    CHECK(capacity(4, 5, 1) == 1e8);  // gpu5.nvlink.down
    std::vector<double> speeds;
    for (std::size_t r = 0; r < 6; ++r) speeds.push_back(f.speed(RankId(r)));
    CHECK(speeds == std::vector<double>{1, 1, 0.5, 0.5, 0.5, 0.25});
}

TEST_CASE("shipped topologies are read, written and read back as the same", "[topology]") {
    std::size_t count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies")) {
        if (entry.path().extension() != ".json") continue;
        INFO(entry.path());
        const TopologySpec t = read_topology(entry.path());
        CHECK(t.name == entry.path().stem());
        CHECK(read_back(t) == t);
        const Fabric f = build_fabric(t);
        CHECK(static_cast<std::int64_t>(f.ranks()) == t.gpus());
        CHECK(static_cast<std::int64_t>(f.nodes()) == t.nodes);
        ++count;
    }
    CHECK(count >= 20);
}
