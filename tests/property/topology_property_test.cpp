// What holds for every topology.
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "support/catch.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"
#include "support/topologies.hpp"
#include "topology/bisection.hpp"
#include "topology/describe.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr std::uint64_t clusters = 240;

}  // namespace

TEST_CASE("random topologies are written and read back as the same", "[topology]") {
    for (std::uint64_t number = 0; number < clusters; ++number) {
        const TopologySpec t = random_cluster(number);
        INFO(to_json(t).dump());
        CHECK(read_back(t) == t);
    }
}

TEST_CASE("every route leads from its sender to its receiver, link by link, over no link twice", "[topology]") {
    for (std::uint64_t number = 0; number < clusters; ++number) {
        const TopologySpec t = random_cluster(number);
        INFO(to_json(t).dump());
        const Fabric f = build_fabric(t);
        REQUIRE(static_cast<std::int64_t>(f.ranks()) == t.gpus());
        REQUIRE(static_cast<std::int64_t>(f.nodes()) == t.nodes);
        bool connected = true, once = true, symmetric = true, inside = true;
        for (std::size_t a = 0; a < f.ranks(); ++a)
            for (std::size_t b = 0; b < f.ranks(); ++b) {
                if (a == b) continue;
                const Route route = f.route(RankId(a), RankId(b));
                VertexId at(a);
                std::set<LinkId> seen;
                for (const LinkId id : route.links()) {
                    connected = connected && f.link(id).from == at;
                    at = f.link(id).to;
                    once = once && seen.insert(id).second;
                    const LinkClass c = f.link(id).link_class;
                    if (t.kind != TopologyKind::links && !f.crosses_nodes(RankId(a), RankId(b)))
                        inside = inside && (c == LinkClass::nvlink || c == LinkClass::pcie);
                }
                connected = connected && at == VertexId(b);
                const Route back = f.route(RankId(b), RankId(a));
                symmetric = symmetric && back.links().size() == route.links().size();
            }
        CHECK(connected);
        CHECK(once);
        CHECK(inside);
        if (t.kind != TopologyKind::links) CHECK(symmetric);
    }
}

TEST_CASE("links have names of their own", "[topology]") {
    for (std::uint64_t number = 0; number < clusters; ++number) {
        const Fabric f = build_fabric(random_cluster(number));
        std::set<std::string> names, vertices;
        for (const Link& link : f.links()) names.insert(link.name);
        for (const Vertex& vertex : f.vertices()) vertices.insert(vertex.name);
        CHECK(names.size() == f.links().size());
        CHECK(vertices.size() == f.vertices().size());
    }
}

TEST_CASE("what all pairs get across the middle is at most the bisection, and all pairs are counted", "[topology]") {
    for (std::uint64_t number = 0; number < clusters; ++number) {
        const TopologySpec t = random_cluster(number);
        INFO(to_json(t).dump());
        const Fabric f = build_fabric(t);
        const TopologyDescription d = describe(f);
        // The flow is of whole bytes a second.
        CHECK(d.bisection_all_pairs.value() <= d.bisection.value() + static_cast<double>(f.links().size()));
        std::int64_t by_hops = 0, by_class = 0;
        for (const std::int64_t pairs : d.pairs_by_hops) by_hops += pairs;
        for (const DistanceClass& c : d.classes) by_class += c.pairs;
        const auto n = static_cast<std::int64_t>(f.ranks());
        CHECK(by_hops == n * (n - 1));
        CHECK(by_class == n * (n - 1));
    }
}

TEST_CASE("every kind of cluster can be simulated, and the closed-form bound is never above it", "[topology]") {
    for (std::uint64_t number = 0; number < 40; ++number) {
        const TopologySpec t = random_cluster(number);
        if (t.gpus() > 32) continue;
        INFO(to_json(t).dump());
        Scenario s = tiny(t.gpus(), 200);
        s.topology = t;
        s.profile.pcie = s.profile.nvlink;
        s.model.top_k = std::min<std::int64_t>(2, s.model.experts);
        s.dispatch.dedup = number % 2 == 0 ? Dedup::node : Dedup::rank;
        const nlohmann::json simulated = simulate_and(s, [](const Result& r, const Metrics& m) {
            // Each byte that a rank sends is on each link of its route.
            std::int64_t on_links = 0, by_routes = 0;
            for (const Bytes b : r.link_bytes) on_links += b.value();
            const Fabric& f = r.plan.fabric;
            for (std::size_t a = 0; a < f.ranks(); ++a)
                for (std::size_t b = 0; b < f.ranks(); ++b)
                    if (a != b)
                        by_routes += r.rank_bytes(a, b) *
                                     static_cast<std::int64_t>(f.route(RankId(a), RankId(b)).links().size());
            return nlohmann::json{{"makespan", m.makespan.value()}, {"same", on_links == by_routes}};
        });
        CHECK(simulated["same"] == true);
        s.network.model = NetworkKind::bound;
        CHECK(simulate_document(s)["makespan_s"].get<double>() <= simulated["makespan"].get<double>() * (1 + 1e-9));
    }
}

TEST_CASE("hashed paths spread: each of S spines gets its share of the pairs within five standard deviations",
          "[topology]") {
    // N pairs that each take one of S ways independently: N / S on a way, with variance N / S * (1 - 1 / S).
    TopologySpec t = small_tree(64, 4);
    t.nodes_per_leaf = 4;
    t.uplink.bandwidth = t.nic.bandwidth * 16;
    t.equal_paths = EqualPaths::hash;
    t.spines = 8;
    const Fabric f = build_fabric(t);
    std::vector<double> pairs(8);
    double all = 0;
    for (std::size_t a = 0; a < f.ranks(); ++a)
        for (std::size_t b = 0; b < f.ranks(); ++b) {
            if (a / 16 == b / 16) continue;
            const Route route = f.route(RankId(a), RankId(b));
            const std::string& spine = f.vertices()[f.link(route.links()[1]).to.value()].name;
            pairs[static_cast<std::size_t>(spine.back() - '0')] += 1;
            all += 1;
        }
    REQUIRE(all == 256.0 * 240);
    for (const double n : pairs) CHECK(std::abs(n - all / 8) < 5 * std::sqrt(all / 8 * 7 / 8));
}

TEST_CASE("hashed paths are the same on every machine", "[topology]") {
    // Computed from the definition of equal_path() by another program.
    TopologySpec t = small_tree(2, 2);
    t.equal_paths = EqualPaths::hash;
    t.spines = 16;
    const Fabric f = build_fabric(t);
    std::vector<std::string> ways;
    for (const auto& [a, b] : {std::pair(0, 2), std::pair(0, 3), std::pair(2, 0), std::pair(1, 2)})
        ways.push_back(route_names(f, static_cast<std::size_t>(a), static_cast<std::size_t>(b))[1]);
    CHECK(ways ==
          std::vector<std::string>{"leaf0.uplink1.up", "leaf0.uplink11.up", "leaf1.uplink12.up", "leaf0.uplink6.up"});
}

TEST_CASE("a cluster of 8,192 GPUs is built in less than a second", "[topology]") {
    TopologySpec t = small_tree(1024, 8);
    t.nodes_per_leaf = 16;
    t.uplink.bandwidth = t.nic.bandwidth * 128;
    t.equal_paths = EqualPaths::hash;
    t.spines = 64;
    const auto start = std::chrono::steady_clock::now();
    const Fabric f = build_fabric(t);
    const std::chrono::duration<double> built = std::chrono::steady_clock::now() - start;
    CHECK(f.ranks() == 8192);
    std::size_t links = 0;
    for (std::size_t i = 0; i < 1'000'000; ++i) {
        const Route route = f.route(RankId(i % 8192), RankId((i * 7919 + 1) % 8192));
        links += route.links().size();
    }
    const std::chrono::duration<double> routed = std::chrono::steady_clock::now() - start - built;
    CHECK(links > 3'000'000);
    WARN("built in " << built.count() << " s, a million routes in " << routed.count() << " s");
#ifdef NDEBUG
    CHECK(built.count() < 1);
    CHECK(routed.count() < 1);
#endif
}
