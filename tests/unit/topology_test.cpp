#include "support/catch.hpp"
#include "support/scenarios.hpp"
#include "topology/fabric.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

std::vector<std::string> route_names(const Fabric& f, std::size_t from, std::size_t to) {
    std::vector<std::string> names;
    const Route route = f.route(RankId(from), RankId(to));
    for (const LinkId id : route.links()) names.push_back(f.link(id).name);
    return names;
}

}  // namespace

TEST_CASE("routes of a fat tree go no higher than they must") {
    TopologySpec spec = small_tree(4, 2);
    spec.nodes_per_leaf = 2;
    const Fabric f = build_fabric(spec);
    using Names = std::vector<std::string>;
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
