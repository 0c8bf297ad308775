#include "config/topology_json.hpp"

namespace moesim {
namespace {

using Out = nlohmann::ordered_json;

Out latency_json(const LinkSpec& link) { return {{"latency", format_quantity(link.latency.value(), Dimension::time)}}; }

void write_node(const TopologySpec& t, Out& j) {
    j["gpus_per_node"] = t.gpus_per_node;
    if (t.has_nvswitch()) j["nvlink"] = link_spec_json(t.nvlink);
    if (!t.pcie) return;
    Out p = {{"sockets", t.pcie->sockets},
             {"switches_per_socket", t.pcie->switches_per_socket},
             {"gpu", link_spec_json(t.pcie->gpu)}};
    if (t.pcie->host) p["host"] = link_spec_json(*t.pcie->host);
    if (t.pcie->socket) p["socket"] = link_spec_json(*t.pcie->socket);
    j["pcie"] = std::move(p);
    for (const BridgeSpec& b : t.bridges) {
        Out bridge = {{"gpus", {b.a, b.b}}};
        bridge.update(link_spec_json(b.link));
        j["bridges"].push_back(std::move(bridge));
    }
}

void write_tree(const TopologySpec& t, Out& j) {
    j["nic"] = link_spec_json(t.nic);
    j["nodes_per_leaf"] = t.nodes_per_leaf;
    if (t.kind == TopologyKind::rail_optimised) {
        j["cross_rail"] = t.cross_rail == CrossRail::spine ? "spine" : "nvlink";
        if (!t.has_spine()) return;
    }
    j["oversubscription"] = t.oversubscription;
    j["uplink"] = latency_json(t.uplink);
    const bool clos = t.kind == TopologyKind::clos, hash = t.equal_paths == EqualPaths::hash;
    if (hash) j["routing"] = "hash";
    if (hash && !clos) j["spines"] = t.spines;
    if (!clos) return;
    j["leaves_per_pod"] = t.clos.leaves_per_pod;
    j["core_oversubscription"] = t.clos.core_oversubscription;
    j["core_uplink"] = latency_json(t.clos.core_uplink);
    if (!hash) return;
    j["aggregations"] = t.clos.aggregations;
    j["cores"] = t.clos.cores;
}

void write_overrides(const TopologySpec& t, Out& j) {
    for (const OverrideSpec& s : t.overrides) {
        Out o = {{"nodes", s.nodes}};
        if (!s.gpus.empty()) o["gpus"] = s.gpus;
        if (s.nvlink) o["nvlink"] = link_spec_json(*s.nvlink);
        if (s.pcie) o["pcie"] = link_spec_json(*s.pcie);
        if (s.nic) o["nic"] = link_spec_json(*s.nic);
        if (s.speed) o["speed"] = *s.speed;
        j["overrides"].push_back(std::move(o));
    }
}

}  // namespace

Out link_spec_json(const LinkSpec& link) {
    return {{"bandwidth", format_quantity(link.bandwidth.value(), Dimension::bandwidth)},
            {"latency", format_quantity(link.latency.value(), Dimension::time)}};
}

Out to_json(const TopologySpec& t) {
    Out j = {{"schema", "moesim.topology/1"},
             {"name", t.name},
             {"source", t.source},
             {"kind", topology_kind_names[static_cast<std::size_t>(t.kind)]}};
    if (t.leaves() > 0) j["nodes"] = t.nodes;
    if (t.kind != TopologyKind::links) write_node(t, j);
    if (t.leaves() > 0) write_tree(t, j);
    if (t.kind == TopologyKind::dragonfly) {
        const DragonflySpec& d = t.dragonfly;
        j["nic"] = link_spec_json(t.nic);
        j["groups"] = d.groups;
        j["routers_per_group"] = d.routers_per_group;
        j["nodes_per_router"] = d.nodes_per_router;
        j["global_links_per_router"] = d.global_links_per_router;
        j["local"] = link_spec_json(d.local);
        j["global"] = link_spec_json(d.global);
    }
    if (t.kind == TopologyKind::torus) {
        j["nic"] = link_spec_json(t.nic);
        j["dimensions"] = t.torus.dimensions;
        j["link"] = link_spec_json(t.torus.link);
    }
    if (t.kind == TopologyKind::links) write_link_list(t, j);
    write_overrides(t, j);
    return j;
}

}  // namespace moesim
