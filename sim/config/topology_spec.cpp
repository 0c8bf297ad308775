#include "config/topology_spec.hpp"

#include "config/json_object.hpp"

namespace moesim {
namespace {

constexpr double min_bandwidth = 1e3, max_bandwidth = 1e15, max_latency = 1.0;

Seconds latency_of(const JsonObject& o) { return Seconds(o["latency"].quantity(Dimension::time, 0, max_latency)); }

LinkSpec parse_link(const JsonValue& value) {
    const JsonObject o(value, {"bandwidth", "latency"});
    return {BytesPerSecond(o["bandwidth"].quantity(Dimension::bandwidth, min_bandwidth, max_bandwidth)), latency_of(o)};
}

nlohmann::ordered_json link_json(const LinkSpec& link) {
    return {{"bandwidth", format_quantity(link.bandwidth.value(), Dimension::bandwidth)},
            {"latency", format_quantity(link.latency.value(), Dimension::time)}};
}

}  // namespace

TopologySpec parse_topology(const nlohmann::json& json, const std::string& file, const std::string& path) {
    const JsonObject o({&json, file, path}, "moesim.topology/1",
                       {"schema", "name", "source", "kind", "nodes", "gpus_per_node", "nvlink", "nic", "uplink",
                        "nodes_per_leaf", "oversubscription"});
    TopologySpec t;
    t.name = o["name"].line();
    t.source = o["source"].text();
    t.kind = static_cast<TopologyKind>(o["kind"].choice({"nvswitch_node", "fat_tree"}));
    t.gpus_per_node = o["gpus_per_node"].integer(1, 256);
    t.nvlink = parse_link(o["nvlink"]);
    if (t.kind == TopologyKind::nvswitch_node) {
        for (const char* key : {"nodes", "nic", "uplink", "nodes_per_leaf", "oversubscription"})
            if (o[key].present()) o[key].fail("nothing, since an \"nvswitch_node\" is one node without a network");
        return t;
    }
    t.nodes = o["nodes"].integer(1, 8192);
    t.nic = parse_link(o["nic"]);
    t.nodes_per_leaf = o["nodes_per_leaf"].integer(1, 1024);
    t.oversubscription = o["oversubscription"].number(0.01, 1000);
    const JsonValue uplink = o["uplink"];
    if (uplink.present() && uplink.json->is_object() && uplink.json->contains("bandwidth"))
        uplink.fail_with("a bandwidth",
                         "only a latency, since nic, gpus_per_node, nodes_per_leaf and oversubscription "
                         "give the bandwidth");
    const JsonObject up(uplink, {"latency"});
    t.uplink.latency = latency_of(up);
    t.uplink.bandwidth =
        t.nic.bandwidth * (static_cast<double>(t.nodes_per_leaf * t.gpus_per_node) / t.oversubscription);
    return t;
}

nlohmann::ordered_json to_json(const TopologySpec& t) {
    const bool tree = t.kind == TopologyKind::fat_tree;
    nlohmann::ordered_json j = {{"schema", "moesim.topology/1"},
                                {"name", t.name},
                                {"source", t.source},
                                {"kind", tree ? "fat_tree" : "nvswitch_node"}};
    if (tree) j["nodes"] = t.nodes;
    j["gpus_per_node"] = t.gpus_per_node;
    j["nvlink"] = link_json(t.nvlink);
    if (!tree) return j;
    j["nic"] = link_json(t.nic);
    j["nodes_per_leaf"] = t.nodes_per_leaf;
    j["oversubscription"] = t.oversubscription;
    j["uplink"] = {{"latency", format_quantity(t.uplink.latency.value(), Dimension::time)}};
    return j;
}

}  // namespace moesim
