#include "support/topologies.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/random.hpp"
#include "config/json_text.hpp"
#include "support/scenarios.hpp"

namespace moesim::test {
namespace {

TopologySpec named(const char* name, TopologyKind kind) {
    TopologySpec t;
    t.name = name;
    t.source = "test";
    t.kind = kind;
    return t;
}

BytesPerSecond uplink_of(const TopologySpec& t, std::int64_t gpus) {
    return t.nic.bandwidth * (static_cast<double>(gpus) / t.oversubscription);
}

class Draw {
  public:
    explicit Draw(std::uint64_t number) : random_(stream_key(77, 0), number) {}
    std::int64_t from(std::int64_t low, std::int64_t high) {
        return low + random_.below(static_cast<std::uint32_t>(high - low + 1));
    }
    bool coin() { return random_.below(2) == 1; }
    // Bandwidths and latencies that have no short decimal form.
    LinkSpec link() { return link_spec(1e6 * std::pow(10.0, 5 * random_.uniform()), 1e-6 * random_.uniform()); }
    double ratio() { return 0.25 + 4 * random_.uniform(); }

  private:
    RandomStream random_;
};

void draw_pcie(Draw& draw, TopologySpec& t) {
    PcieSpec p;
    p.sockets = draw.from(1, 2);
    p.switches_per_socket = draw.from(1, 3);
    t.gpus_per_node = p.switches() * draw.from(1, 2);
    p.gpu = draw.link();
    if (p.switches() > 1) p.host = draw.link();
    if (p.sockets > 1) p.socket = draw.link();
    t.pcie = p;
    if (t.gpus_per_node > 1 && draw.coin()) t.bridges.push_back({0, t.gpus_per_node - 1, draw.link()});
    if (t.gpus_per_node > 2 && draw.coin()) t.bridges.push_back({1, 2, draw.link()});
}

void draw_tree(Draw& draw, TopologySpec& t) {
    const bool rails = t.kind == TopologyKind::rail_optimised;
    t.nodes = draw.from(1, 9);
    t.nodes_per_leaf = draw.from(1, 4);
    if (rails) t.cross_rail = draw.coin() ? CrossRail::nvlink : CrossRail::spine;
    if (rails && t.cross_rail == CrossRail::nvlink && t.nodes <= t.nodes_per_leaf && draw.coin()) return;
    t.oversubscription = draw.ratio();
    t.uplink = {uplink_of(t, t.nodes_per_leaf * (rails ? 1 : t.gpus_per_node)), draw.link().latency};
    if (draw.coin()) t.equal_paths = EqualPaths::hash;
    const bool hash = t.equal_paths == EqualPaths::hash;
    if (t.kind != TopologyKind::clos) {
        if (hash) t.spines = draw.from(1, 5);
        return;
    }
    t.clos.leaves_per_pod = draw.from(1, 3);
    t.clos.core_oversubscription = draw.ratio();
    t.clos.core_uplink = {
        t.uplink.bandwidth * (static_cast<double>(t.clos.leaves_per_pod) / t.clos.core_oversubscription),
        draw.link().latency};
    if (hash) t.clos.aggregations = draw.from(1, 3), t.clos.cores = t.clos.aggregations * draw.from(1, 3);
}

void draw_list(Draw& draw, TopologySpec& t) {
    const std::int64_t sizes[] = {draw.from(1, 3), draw.from(1, 3), draw.from(1, 3)};
    for (std::int64_t n = 0; n < 3; ++n)
        for (std::int64_t g = 0; g < sizes[n]; ++g) t.list.node_of_gpu.push_back(n);
    t.nodes = 3;
    t.gpus_per_node = std::gcd(sizes[0], std::gcd(sizes[1], sizes[2]));
    t.equal_paths = draw.coin() ? EqualPaths::hash : EqualPaths::spread;
    t.list.gpus_forward = draw.coin();
    t.list.switches = {"a \"switch\"", "b", "c"};
    const auto gpus = static_cast<std::uint32_t>(t.list.node_of_gpu.size());
    const auto add = [&](std::uint32_t a, std::uint32_t b, const LinkSpec& spec) {
        const auto link_class = static_cast<LinkClass>(draw.from(0, 4));
        t.list.links.push_back({fmt::format("l{}", t.list.links.size()), a, b, spec, link_class});
        t.list.links.push_back({fmt::format("l{}", t.list.links.size()), b, a, spec, link_class});
    };
    for (std::uint32_t g = 0; g < gpus; ++g) add(g, gpus + g % 3, draw.link());
    const LinkSpec same = draw.link();
    for (std::uint32_t s = 0; s < 3; ++s)
        for (std::int64_t parallel = draw.from(1, 3); parallel > 0; --parallel) add(gpus + s, gpus + (s + 1) % 3, same);
}

void draw_overrides(Draw& draw, TopologySpec& t) {
    const bool list = t.kind == TopologyKind::links;
    for (std::int64_t left = draw.from(0, 3); left > 0; --left) {
        OverrideSpec s;
        s.nodes = {draw.from(0, t.nodes - 1)};
        if (!list && draw.coin()) s.gpus = {draw.from(0, t.gpus_per_node - 1)};
        s.speed = 0.25 + 0.5 * draw.ratio() / 5;
        if (t.has_nvswitch() && draw.coin()) s.nvlink = draw.link();
        if (t.pcie && draw.coin()) s.pcie = draw.link();
        if (!list && !t.one_node() && draw.coin()) s.nic = draw.link();
        t.overrides.push_back(s);
    }
}

}  // namespace

LinkSpec link_spec(double bytes_per_s, double latency_s) { return {BytesPerSecond(bytes_per_s), Seconds(latency_s)}; }

TopologySpec small_rails(std::int64_t nodes, std::int64_t gpus, CrossRail cross_rail) {
    TopologySpec t = named("small-rails", TopologyKind::rail_optimised);
    t.nodes = nodes;
    t.gpus_per_node = gpus;
    t.nvlink = link_spec(1e9, 1e-6);
    t.nic = link_spec(1e8, 1e-6);
    t.nodes_per_leaf = 2;
    t.cross_rail = cross_rail;
    t.uplink = {uplink_of(t, 2), Seconds(1e-6)};
    return t;
}

TopologySpec small_clos(EqualPaths equal_paths) {
    TopologySpec t = named("small-clos", TopologyKind::clos);
    t.nodes = 8;
    t.gpus_per_node = 1;
    t.nvlink = link_spec(1e9);
    t.nic = link_spec(1e8, 1e-6);
    t.nodes_per_leaf = 2;
    t.uplink = {uplink_of(t, 2), Seconds(1e-6)};
    t.equal_paths = equal_paths;
    t.clos.leaves_per_pod = 2;
    t.clos.core_oversubscription = 2;
    t.clos.core_uplink = {t.uplink.bandwidth, Seconds(2e-6)};  // 2 leaves, oversubscribed 2:1
    if (equal_paths == EqualPaths::hash) t.clos.aggregations = 2, t.clos.cores = 4;
    return t;
}

TopologySpec small_pcie() {
    TopologySpec t = named("small-pcie", TopologyKind::pcie_node);
    t.pcie = PcieSpec{2, 2, link_spec(4e9, 1e-6), link_spec(3e9, 1e-6), link_spec(1e9, 1e-6)};
    return t;
}

TopologySpec small_torus(std::vector<std::int64_t> dimensions) {
    TopologySpec t = named("small-torus", TopologyKind::torus);
    t.gpus_per_node = 1;
    t.nic = link_spec(1e9, 1e-6);
    t.torus.link = link_spec(1e8, 1e-6);
    for (const std::int64_t d : dimensions) t.nodes *= d;
    t.torus.dimensions = std::move(dimensions);
    return t;
}

TopologySpec small_dragonfly() {
    TopologySpec t = named("small-dragonfly", TopologyKind::dragonfly);
    t.gpus_per_node = 1;
    t.nodes = 6;
    t.nic = link_spec(1e9, 1e-6);
    t.dragonfly = {3, 2, 1, 1, link_spec(2e8, 1e-6), link_spec(1e8, 1e-6)};
    return t;
}

TopologySpec small_list() {
    TopologySpec t = named("small-list", TopologyKind::links);
    t.nodes = 2;
    t.gpus_per_node = 1;
    t.list.node_of_gpu = {0, 0, 1};
    t.list.switches = {"leaf"};
    const auto cable = [&](std::uint32_t a, std::uint32_t b, double rate, LinkClass link_class, const char* name) {
        t.list.links.push_back({std::string(name) + ".up", a, b, link_spec(rate, 1e-6), link_class});
        t.list.links.push_back({std::string(name) + ".down", b, a, link_spec(rate, 1e-6), link_class});
    };
    cable(0, 1, 1e9, LinkClass::nvlink, "bridge");
    cable(0, 3, 1e8, LinkClass::nic, "nic0");
    cable(1, 3, 1e8, LinkClass::nic, "nic1");
    cable(2, 3, 1e8, LinkClass::nic, "nic2");
    return t;
}

TopologySpec random_cluster(std::uint64_t number) {
    Draw draw(number);
    TopologySpec t = named("random", static_cast<TopologyKind>(number % topology_kind_names.size()));
    if (t.kind == TopologyKind::links) {
        draw_list(draw, t);
        draw_overrides(draw, t);
        return t;
    }
    const bool direct = t.kind == TopologyKind::torus || t.kind == TopologyKind::dragonfly;
    t.gpus_per_node = draw.from(1, 4);
    if (t.kind == TopologyKind::pcie_node || (t.kind != TopologyKind::nvswitch_node && draw.from(0, 3) == 0))
        draw_pcie(draw, t);
    else if (!direct || t.gpus_per_node > 1 || draw.coin())
        t.nvlink = draw.link();
    if (!t.one_node()) t.nic = draw.link();
    if (t.kind == TopologyKind::fat_tree || t.kind == TopologyKind::rail_optimised || t.kind == TopologyKind::clos)
        draw_tree(draw, t);
    if (t.kind == TopologyKind::dragonfly) {
        DragonflySpec& d = t.dragonfly;
        d = {1, draw.from(1, 3), draw.from(1, 2), draw.from(1, 2), draw.link(), draw.link()};
        d.groups = draw.from(1, d.routers_per_group * d.global_links_per_router + 1);
        t.nodes = d.groups * d.routers_per_group * d.nodes_per_router;
    }
    if (t.kind == TopologyKind::torus) {
        t.torus.link = draw.link();
        for (std::int64_t left = draw.from(1, 3); left > 0; --left) {
            t.torus.dimensions.push_back(draw.from(2, 5));
            t.nodes *= t.torus.dimensions.back();
        }
        if (t.nodes > 50) t.gpus_per_node = 1, t.pcie.reset(), t.bridges.clear();
        if (t.gpus_per_node > 1 && !t.pcie && !t.has_nvswitch()) t.nvlink = draw.link();
    }
    draw_overrides(draw, t);
    return t;
}

std::vector<std::string> route_names(const Fabric& f, std::size_t from, std::size_t to) {
    std::vector<std::string> names;
    const Route route = f.route(RankId(from), RankId(to));
    for (const LinkId id : route.links()) names.push_back(f.link(id).name);
    return names;
}

TopologySpec read_back(const TopologySpec& t) {
    return parse_topology(parse_json(to_json(t).dump(), "written"), "written");
}

}  // namespace moesim::test
