// A cluster in the formats of other programs, read as those read them.
#include "result/topology_export.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <simgrid/s4u.hpp>
#include <sstream>

#include "base/error.hpp"
#include "support/catch.hpp"
#include "support/in_child.hpp"
#include "support/program.hpp"
#include "support/scenarios.hpp"
#include "support/topologies.hpp"
#include "topology/describe.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// Latency and narrowest link of some pairs, and hosts' speeds, as SimGrid has them once it has read the platform.
nlohmann::json in_simgrid(const std::string& platform, const std::vector<std::pair<std::size_t, std::size_t>>& pairs) {
    const Folder folder;
    const std::string file = folder.write("platform.xml", platform).string();
    return in_child([&] {
        std::string name = "test";
        char* arguments[] = {name.data(), nullptr};
        int count = 1;
        simgrid::s4u::Engine engine(&count, arguments);
        engine.load_platform(file);
        nlohmann::json answer = {{"hosts", engine.get_host_count()}, {"pairs", nlohmann::json::array()}};
        const auto host = [&](std::size_t r) { return engine.host_by_name(fmt::format("gpu{}", r)); };
        answer["speed"] = host(0)->get_speed();
        for (const auto& [from, to] : pairs) {
            std::vector<simgrid::s4u::Link*> links;
            double latency = 0, narrowest = 1e300;
            host(from)->route_to(host(to), links, &latency);
            nlohmann::json names = nlohmann::json::array();
            for (const auto* link : links) {
                narrowest = std::min(narrowest, link->get_bandwidth());
                names.push_back(link->get_name());
            }
            answer["pairs"].push_back({{"latency", latency}, {"narrowest", narrowest}, {"links", names}});
        }
        return answer;
    });
}

void check_in_simgrid(const TopologySpec& t) {
    INFO(to_json(t).dump());
    const Fabric f = build_fabric(t);
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t a = 0; a < f.ranks(); ++a)
        for (std::size_t b = a % 3; b < f.ranks(); b += 3)
            if (a != b) pairs.emplace_back(a, b);
    const nlohmann::json answer = in_simgrid(simgrid_platform(f, t.name), pairs);
    CHECK(answer["hosts"] == f.ranks());
    CHECK(answer["speed"].get<double>() == Approx(1e12 * f.speed(RankId(0))));
    for (std::size_t p = 0; p < pairs.size(); ++p) {
        const auto [from, to] = pairs[p];
        const Route route = f.route(RankId(from), RankId(to));
        double narrowest = 1e300;
        for (const LinkId id : route.links()) narrowest = std::min(narrowest, f.link(id).capacity.value());
        CHECK(answer["pairs"][p]["links"] == nlohmann::json(route_names(f, from, to)));
        CHECK(answer["pairs"][p]["latency"].get<double>() == Approx(f.latency(route).value()).epsilon(1e-12));
        CHECK(answer["pairs"][p]["narrowest"].get<double>() == narrowest);
    }
}

}  // namespace

TEST_CASE("as a list of links, GPUs of a node still talk over NVLink, though their NICs meet in a leaf as near",
          "[topology]") {
    const TopologySpec t = small_tree(2, 2);  // both nodes under one leaf: gpu0 -> leaf0 -> gpu1 is two links as well
    const Fabric fabric = build_fabric(t), list = build_fabric(listed(t, fabric));
    const Route route = list.route(RankId(0), RankId(1));
    REQUIRE(route.links().size() == 2);
    CHECK(list.link(route.links()[0]).name == "gpu0.nvlink.up");
    CHECK(list.link(route.links()[1]).name == "gpu1.nvlink.down");
    CHECK(rerouted_share(fabric, list) == 0);
}

TEST_CASE("the share of pairs that take another way", "[topology]") {
    // Two nodes of two GPUs on two rails: across rails moesim's own routes take NVLink. A list's take the spine, which
    // is as near, where NVLink is slow to start: 4 of 12 pairs.
    TopologySpec t = small_rails(2, 2, CrossRail::nvlink);
    t.nvlink.latency = Seconds(5e-6);
    const Fabric fabric = build_fabric(t);
    CHECK(rerouted_share(fabric, fabric) == 0);
    CHECK(rerouted_share(fabric, build_fabric(listed(t, fabric))) == Approx(4.0 / 12));
}

TEST_CASE("SimGrid reads the exported platform and has the same routes, latencies and bandwidths", "[topology]") {
    check_in_simgrid(small_rails(4, 2, CrossRail::nvlink));
    check_in_simgrid(small_clos(EqualPaths::hash));
    check_in_simgrid(small_pcie());
    check_in_simgrid(small_dragonfly());
    check_in_simgrid(small_torus({4, 3}));
    TopologySpec odd = small_list();
    odd.name = "a -- \"name\" & <more>";
    odd.list.links[0].name = "<\"bridge\" & 'more'>";
    check_in_simgrid(odd);
    for (std::uint64_t number = 0; number < 16; ++number) check_in_simgrid(random_cluster(number));
}

TEST_CASE("a platform for SimGrid is refused where it would name millions of routes", "[topology]") {
    const Fabric f = build_fabric(small_torus({32, 33}));
    CHECK_THROWS_WITH(simgrid_platform(f, "x"), "--export simgrid: found 1056 GPUs, expected at most 1024");
}

TEST_CASE("the graph for Graphviz has every vertex and every link", "[topology]") {
    TopologySpec t = small_rails(2, 2, CrossRail::spine);
    t.name = "rails \"of\" \\ two";
    const Fabric f = build_fabric(t);
    const std::string text = graphviz(f, t.name);
    std::istringstream in(text);
    std::size_t edges = 0, labels = 0, depth = 0;
    for (std::string line; std::getline(in, line);) {
        edges += line.find(" -> ") != line.npos ? 1U : 0U;
        labels += line.find(" [label=") != line.npos && line.find(" -> ") == line.npos ? 1U : 0U;
        depth += line.back() == '{' ? 1U : 0U;
        depth -= line.find('}') != line.npos ? 1U : 0U;
    }
    CHECK(depth == 0);
    CHECK(edges == f.links().size());
    CHECK(labels == f.vertices().size());
    CHECK(text.rfind("digraph \"rails \\\"of\\\" \\\\ two\" {\n", 0) == 0);
    // Where Graphviz is there, it has the last word.
    if (::access("/usr/bin/dot", X_OK) != 0) return;
    const Folder folder;
    for (std::uint64_t number = 0; number < 8; ++number) {
        const TopologySpec random = random_cluster(number);
        const std::string file = folder.write("graph.dot", graphviz(build_fabric(random), random.name)).string();
        CHECK(std::system(("/usr/bin/dot -Tcanon '" + file + "' >/dev/null 2>&1").c_str()) == 0);
    }
}

TEST_CASE("the connection matrix is what htsim reads: counts, ids from 1, sizes of 31 bits", "[topology]") {
    const Fabric f = build_fabric(small_torus({3}));
    CHECK(htsim_connections(f, Bytes(2000000)) ==
          "Nodes 3\n"
          "Connections 6\n"
          "0->1 id 1 start 0 size 2000000\n"
          "0->2 id 2 start 0 size 2000000\n"
          "1->0 id 3 start 0 size 2000000\n"
          "1->2 id 4 start 0 size 2000000\n"
          "2->0 id 5 start 0 size 2000000\n"
          "2->1 id 6 start 0 size 2000000\n");
    CHECK_THROWS_WITH(htsim_connections(f, Bytes(2147483648)),
                      "--bytes: found 2147483648, expected at most 2147483647, the largest that htsim reads");
}

TEST_CASE("a family as a list of links is the same cluster", "[topology]") {
    for (std::uint64_t number = 0; number < 80; ++number) {
        const TopologySpec t = random_cluster(number);
        INFO(to_json(t).dump());
        const Fabric f = build_fabric(t);
        const TopologySpec list = listed(t, f);
        REQUIRE(read_back(list) == list);
        const Fabric g = build_fabric(list);
        REQUIRE(g.ranks() == f.ranks());
        REQUIRE(g.links().size() == f.links().size());
        CHECK(list.gpus_per_node == t.gpus_per_node);
        CHECK(describe(g).bisection.value() == describe(f).bisection.value());
        bool no_longer = true, same_speed = true;
        for (std::size_t a = 0; a < f.ranks(); ++a) {
            same_speed = same_speed && f.speed(RankId(a)) == g.speed(RankId(a));
            for (std::size_t b = 0; b < f.ranks(); ++b)
                if (a != b)
                    no_longer = no_longer && g.route(RankId(a), RankId(b)).links().size() <=
                                                 f.route(RankId(a), RankId(b)).links().size();
        }
        CHECK(no_longer);
        CHECK(same_speed);
    }
}
