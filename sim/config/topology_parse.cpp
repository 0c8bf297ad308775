#include <fmt/format.h>

#include <algorithm>

#include "config/topology_json.hpp"

namespace moesim {
namespace {

constexpr double min_bandwidth = 1e3, max_bandwidth = 1e15, max_latency = 1.0;
constexpr std::int64_t max_nodes = 8192, max_switch_links = std::int64_t{1} << 20;

// In the order in which a key of another kind is complained about.
const std::initializer_list<std::string_view> all_keys = {"schema",
                                                          "name",
                                                          "source",
                                                          "kind",
                                                          "nodes",
                                                          "gpus_per_node",
                                                          "nvlink",
                                                          "pcie",
                                                          "bridges",
                                                          "nic",
                                                          "uplink",
                                                          "nodes_per_leaf",
                                                          "oversubscription",
                                                          "routing",
                                                          "spines",
                                                          "cross_rail",
                                                          "leaves_per_pod",
                                                          "core_oversubscription",
                                                          "core_uplink",
                                                          "aggregations",
                                                          "cores",
                                                          "groups",
                                                          "routers_per_group",
                                                          "nodes_per_router",
                                                          "global_links_per_router",
                                                          "local",
                                                          "global",
                                                          "dimensions",
                                                          "link",
                                                          "node_of_gpu",
                                                          "switches",
                                                          "links",
                                                          "gpus_forward",
                                                          "overrides"};

bool is_tree(TopologyKind k) {
    return k == TopologyKind::fat_tree || k == TopologyKind::rail_optimised || k == TopologyKind::clos;
}

// Keys that a kind may have, beside those that all have.
bool belongs(std::string_view key, const TopologySpec& t) {
    const auto among = [&](std::initializer_list<std::string_view> keys) {
        return std::find(keys.begin(), keys.end(), key) != keys.end();
    };
    const bool list = t.kind == TopologyKind::links;
    if (among({"schema", "name", "source", "kind", "overrides"})) return true;
    if (among({"node_of_gpu", "switches", "links", "gpus_forward"})) return list;
    if (key == "gpus_per_node") return !list;
    if (key == "nvlink") return !list && t.kind != TopologyKind::pcie_node;
    if (among({"pcie", "bridges"})) return !list && t.kind != TopologyKind::nvswitch_node;
    if (key == "nodes") return is_tree(t.kind);
    if (key == "nic") return !list && !t.one_node();
    if (among({"nodes_per_leaf", "oversubscription", "uplink"})) return is_tree(t.kind);
    if (key == "routing") return is_tree(t.kind) || list;
    if (key == "spines") return is_tree(t.kind) && t.kind != TopologyKind::clos;
    if (key == "cross_rail") return t.kind == TopologyKind::rail_optimised;
    if (among({"leaves_per_pod", "core_oversubscription", "core_uplink", "aggregations", "cores"}))
        return t.kind == TopologyKind::clos;
    if (among({"groups", "routers_per_group", "nodes_per_router", "global_links_per_router", "local", "global"}))
        return t.kind == TopologyKind::dragonfly;
    return t.kind == TopologyKind::torus;  // "dimensions", "link"
}

void require_keys_of_kind(const JsonObject& o, const TopologySpec& t) {
    const std::string_view kind = topology_kind_names[static_cast<std::size_t>(t.kind)];
    for (const std::string_view key : all_keys) {
        if (!o[key].present() || belongs(key, t)) continue;
        const char* why = t.one_node() ? "is one node without a network" : "has none";
        const bool inside = key == "nvlink" || key == "pcie" || key == "bridges" || t.kind == TopologyKind::links;
        o[key].fail(fmt::format("nothing, since {} \"{}\" {}", t.kind == TopologyKind::nvswitch_node ? "an" : "a", kind,
                                inside ? "has none" : why));
    }
}

PcieSpec parse_pcie(const JsonValue& value, std::int64_t gpus) {
    const JsonObject o(value, {"sockets", "switches_per_socket", "gpu", "host", "socket"});
    PcieSpec p;
    p.sockets = o["sockets"].integer(1, 8);
    p.switches_per_socket = o["switches_per_socket"].integer(1, 32);
    if (gpus % p.switches() != 0)
        value.fail_with(fmt::format("{} switches", p.switches()),
                        fmt::format("a number that divides the {} GPUs of a node", gpus));
    p.gpu = parse_link_spec(o["gpu"]);
    const auto optional = [&](const char* key, bool wanted, const char* why) -> std::optional<LinkSpec> {
        if (wanted) return parse_link_spec(o[key]);
        if (o[key].present()) o[key].fail(fmt::format("nothing, since a node has {}", why));
        return std::nullopt;
    };
    p.host = optional("host", p.switches() > 1, "one switch");
    p.socket = optional("socket", p.sockets > 1, "one socket");
    return p;
}

std::vector<BridgeSpec> parse_bridges(const JsonValue& value, std::int64_t gpus) {
    std::vector<BridgeSpec> all;
    if (!value.present()) return all;
    std::vector<char> joined(static_cast<std::size_t>(gpus * gpus), 0);
    for (const JsonValue& element : value.elements(1, 32640)) {
        const JsonObject o(element, {"gpus", "bandwidth", "latency"});
        const auto ends = o["gpus"].elements(2, 2);
        BridgeSpec b{ends[0].integer(0, gpus - 1, "the GPUs of a node"), ends[1].integer(0, gpus - 1), {}};
        if (b.a >= b.b) o["gpus"].fail_with(fmt::format("{} and {}", b.a, b.b), "the lower one first");
        char& seen = joined[static_cast<std::size_t>(b.a * gpus + b.b)];
        if (seen) o["gpus"].fail_with(fmt::format("{} and {} again", b.a, b.b), "one bridge between two GPUs");
        seen = 1;
        b.link = {parse_bandwidth(o), parse_latency(o)};
        all.push_back(b);
    }
    return all;
}

// Nodes: NVSwitch or PCIe; a node of one GPU can do without.
void parse_node(const JsonObject& o, TopologySpec& t) {
    t.gpus_per_node = o["gpus_per_node"].integer(1, 256);
    const bool pcie = t.kind == TopologyKind::pcie_node || o["pcie"].present();
    if (pcie && o["nvlink"].present())
        o["nvlink"].fail("nothing, since the node has pcie (\"bridges\" join pairs of its GPUs)");
    if (pcie) t.pcie = parse_pcie(o["pcie"], t.gpus_per_node);
    const bool bare = t.gpus_per_node == 1 && !t.one_node() && t.kind != TopologyKind::rail_optimised;
    if (!pcie && (!bare || o["nvlink"].present())) t.nvlink = parse_link_spec(o["nvlink"]);
    if (o["bridges"].present() && !pcie) o["bridges"].fail("nothing, since the node has no pcie");
    t.bridges = parse_bridges(o["bridges"], t.gpus_per_node);
}

// Links among switches, of which there must not be too many.
void require_few(const JsonValue& v, std::int64_t links) {
    if (links > max_switch_links)
        v.fail_with(fmt::format("{} links between switches", links), fmt::format("at most {}", max_switch_links));
}

LinkSpec derived_uplink(const JsonValue& value, BytesPerSecond bandwidth, const char* from) {
    if (value.present() && value.json->is_object() && value.json->contains("bandwidth"))
        value.fail_with("a bandwidth", fmt::format("only a latency, since {} give the bandwidth", from));
    const JsonObject o(value, {"latency"});
    return {bandwidth, parse_latency(o)};
}

void parse_clos(const JsonObject& o, TopologySpec& t) {
    ClosSpec& c = t.clos;
    c.leaves_per_pod = o["leaves_per_pod"].integer(1, 1024);
    c.core_oversubscription = o["core_oversubscription"].number(0.01, 1000);
    c.core_uplink = derived_uplink(
        o["core_uplink"], t.uplink.bandwidth * (static_cast<double>(c.leaves_per_pod) / c.core_oversubscription),
        "the leaves' uplinks, leaves_per_pod and core_oversubscription");
    if (t.equal_paths == EqualPaths::spread) return;
    c.aggregations = o["aggregations"].integer(1, 1024);
    c.cores = o["cores"].integer(1, 16384);
    if (c.cores % c.aggregations != 0) o["cores"].fail(fmt::format("a multiple of aggregations ({})", c.aggregations));
    const std::int64_t pods = (t.leaves() + c.leaves_per_pod - 1) / c.leaves_per_pod;
    require_few(o["aggregations"], t.leaves() * c.aggregations);
    require_few(o["cores"], pods * c.cores);
}

void parse_tree(const JsonObject& o, TopologySpec& t) {
    t.nodes = o["nodes"].integer(1, max_nodes);
    t.nic = parse_link_spec(o["nic"]);
    t.nodes_per_leaf = o["nodes_per_leaf"].integer(1, 1024);
    const bool rails = t.kind == TopologyKind::rail_optimised;
    if (rails) {
        t.cross_rail = static_cast<CrossRail>(o["cross_rail"].choice({"spine", "nvlink"}));
        if (t.cross_rail == CrossRail::nvlink && t.nodes <= t.nodes_per_leaf && !o["uplink"].present()) {
            for (const char* key : {"oversubscription", "routing", "spines"})
                if (o[key].present()) o[key].fail("nothing, since there is no uplink");
            return;  // one leaf a rail, and nothing above them
        }
    }
    t.oversubscription = o["oversubscription"].number(0.01, 1000);
    const double gpus = static_cast<double>(t.nodes_per_leaf * (rails ? 1 : t.gpus_per_node));
    t.uplink = derived_uplink(
        o["uplink"], t.nic.bandwidth * (gpus / t.oversubscription),
        rails ? "nic, nodes_per_leaf and oversubscription" : "nic, gpus_per_node, nodes_per_leaf and oversubscription");
    if (o["routing"].present()) t.equal_paths = static_cast<EqualPaths>(o["routing"].choice({"spread", "hash"}));
    if (t.equal_paths == EqualPaths::spread)
        for (const char* key : {"spines", "aggregations", "cores"})
            if (o[key].present()) o[key].fail("nothing, since routing is not \"hash\"");
    if (t.kind == TopologyKind::clos) return parse_clos(o, t);
    if (t.equal_paths == EqualPaths::hash) {
        t.spines = o["spines"].integer(1, 1024);
        require_few(o["spines"], t.leaves() * t.spines);
    }
}

void parse_dragonfly(const JsonObject& o, TopologySpec& t) {
    DragonflySpec& d = t.dragonfly;
    d.groups = o["groups"].integer(1, max_nodes);
    d.routers_per_group = o["routers_per_group"].integer(1, 64);
    d.nodes_per_router = o["nodes_per_router"].integer(1, 64);
    d.global_links_per_router = o["global_links_per_router"].integer(1, 64);
    const std::int64_t most = d.routers_per_group * d.global_links_per_router + 1;
    if (d.groups > most)
        o["groups"].fail(fmt::format("at most {} (routers_per_group x global_links_per_router + 1)", most));
    t.nodes = d.groups * d.routers_per_group * d.nodes_per_router;
    if (t.nodes > max_nodes)
        o["groups"].fail_with(fmt::format("{} nodes", t.nodes), fmt::format("at most {}", max_nodes));
    t.nic = parse_link_spec(o["nic"]);
    d.local = parse_link_spec(o["local"]);
    d.global = parse_link_spec(o["global"]);
}

void parse_torus(const JsonObject& o, TopologySpec& t) {
    // Up to two links at each end go to the router, or come from it.
    constexpr auto most = static_cast<std::int64_t>(max_route_links) - 4;
    std::int64_t hops = 0;
    t.nodes = 1;
    for (const JsonValue& v : o["dimensions"].elements(1, 3)) {
        t.torus.dimensions.push_back(v.integer(2, max_nodes));
        t.nodes *= t.torus.dimensions.back();
        hops += t.torus.dimensions.back() / 2;
    }
    if (t.nodes > max_nodes)
        o["dimensions"].fail_with(fmt::format("{} nodes", t.nodes), fmt::format("at most {}", max_nodes));
    if (hops > most)
        o["dimensions"].fail_with(fmt::format("ways of {} links between routers", hops),
                                  fmt::format("ones of at most {}", most));
    t.nic = parse_link_spec(o["nic"]);
    t.torus.link = parse_link_spec(o["link"]);
}

std::vector<std::int64_t> indices(const JsonValue& value, std::int64_t count, std::string_view why) {
    std::vector<std::int64_t> all;
    for (const JsonValue& v : value.elements(1, static_cast<std::size_t>(count)))
        all.push_back(v.integer(0, count - 1, why));
    return all;
}

// As many GPUs as each of these nodes has.
std::int64_t gpus_of_each(const TopologySpec& t, const std::vector<std::int64_t>& nodes) {
    if (t.kind != TopologyKind::links) return t.gpus_per_node;
    std::vector<std::int64_t> size(static_cast<std::size_t>(t.nodes));
    for (const std::int64_t node : t.list.node_of_gpu) ++size[static_cast<std::size_t>(node)];
    std::int64_t least = size[static_cast<std::size_t>(nodes.front())];
    for (const std::int64_t node : nodes) least = std::min(least, size[static_cast<std::size_t>(node)]);
    return least;
}

std::vector<OverrideSpec> parse_overrides(const JsonValue& value, const TopologySpec& t) {
    std::vector<OverrideSpec> all;
    if (!value.present()) return all;
    for (const JsonValue& element : value.elements(1, 4096)) {
        const JsonObject o(element, {"nodes", "gpus", "nvlink", "pcie", "nic", "speed"});
        OverrideSpec s;
        s.nodes = indices(o["nodes"], t.nodes, "the nodes");
        const bool list = t.kind == TopologyKind::links;
        if (o["gpus"].present()) s.gpus = indices(o["gpus"], gpus_of_each(t, s.nodes), "the GPUs of a node");
        const auto link = [&](const char* key, bool there) -> std::optional<LinkSpec> {
            if (!o[key].present()) return std::nullopt;
            if (!there) o[key].fail(list ? "nothing, since each link says itself" : "nothing, since GPUs have none");
            return parse_link_spec(o[key]);
        };
        s.nvlink = link("nvlink", t.has_nvswitch());
        s.pcie = link("pcie", t.pcie.has_value());
        s.nic = link("nic", !list && !t.one_node());
        if (o["speed"].present()) s.speed = o["speed"].number(1e-3, 1);
        if (!s.nvlink && !s.pcie && !s.nic && !s.speed)
            element.fail_with("nothing that is different", "nvlink, pcie, nic or speed");
        all.push_back(s);
    }
    return all;
}

}  // namespace

Seconds parse_latency(const JsonObject& o) { return Seconds(o["latency"].quantity(Dimension::time, 0, max_latency)); }
BytesPerSecond parse_bandwidth(const JsonObject& o) {
    return BytesPerSecond(o["bandwidth"].quantity(Dimension::bandwidth, min_bandwidth, max_bandwidth));
}
LinkSpec parse_link_spec(const JsonValue& value) {
    const JsonObject o(value, {"bandwidth", "latency"});
    return {parse_bandwidth(o), parse_latency(o)};
}

TopologySpec parse_topology(const nlohmann::json& json, const std::string& file, const std::string& path) {
    const JsonObject o({&json, file, path}, "moesim.topology/1", all_keys);
    TopologySpec t;
    t.name = o["name"].line();
    t.source = o["source"].text();
    t.kind = static_cast<TopologyKind>(o["kind"].choice(topology_kind_names));
    require_keys_of_kind(o, t);
    if (t.kind == TopologyKind::links)
        parse_link_list(o, t);
    else
        parse_node(o, t);
    if (is_tree(t.kind)) parse_tree(o, t);
    if (t.kind == TopologyKind::dragonfly) parse_dragonfly(o, t);
    if (t.kind == TopologyKind::torus) parse_torus(o, t);
    t.overrides = parse_overrides(o["overrides"], t);
    return t;
}

}  // namespace moesim
