#include "result/topology_export.hpp"

#include <fmt/format.h>

#include <limits>
#include <map>

#include "base/error.hpp"
#include "config/topology_json.hpp"
#include "result/xml_text.hpp"

namespace moesim {
namespace {

void require_at_most(std::size_t ranks, std::size_t most, const char* format) {
    if (ranks > most)
        throw InputError(fmt::format("--export {}: found {} GPUs, expected at most {}", format, ranks, most));
}

// Text in double quotes for dot.
std::string quoted_dot(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

}  // namespace

std::string simgrid_platform(const Fabric& fabric, const std::string& name) {
    require_at_most(fabric.ranks(), 1024, "simgrid");
    std::string text = fmt::format(
        "<?xml version='1.0'?>\n"
        "<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
        "<!-- {} -->\n"
        "<platform version=\"4.1\">\n <zone id=\"cluster\" routing=\"Full\">\n",
        xml_text(name.find("--") == name.npos ? name : "topology"));
    for (std::size_t r = 0; r < fabric.ranks(); ++r)
        text += fmt::format("  <host id=\"gpu{}\" speed=\"{}f\"/>\n", r, 1e12 * fabric.speed(RankId(r)));
    for (const Link& link : fabric.links())
        text += fmt::format("  <link id=\"{}\" bandwidth=\"{}Bps\" latency=\"{}s\" sharing_policy=\"SHARED\"/>\n",
                            xml_text(link.name), link.capacity.value(), link.latency.value());
    for (std::size_t a = 0; a < fabric.ranks(); ++a)
        for (std::size_t b = 0; b < fabric.ranks(); ++b) {
            if (a == b) continue;
            text += fmt::format("  <route src=\"gpu{}\" dst=\"gpu{}\" symmetrical=\"NO\">", a, b);
            const Route route = fabric.route(RankId(a), RankId(b));
            for (const LinkId id : route.links())
                text += fmt::format("<link_ctn id=\"{}\"/>", xml_text(fabric.link(id).name));
            text += "</route>\n";
        }
    return text + " </zone>\n</platform>\n";
}

std::string graphviz(const Fabric& fabric, const std::string& name) {
    std::string text = fmt::format("digraph {} {{\n  node [shape=box];\n", quoted_dot(name));
    const auto& vertices = fabric.vertices();
    std::vector<std::vector<std::size_t>> of_node(fabric.nodes());
    for (std::size_t v = 0; v < vertices.size(); ++v) {
        if (vertices[v].in_node)
            of_node[vertices[v].node.value()].push_back(v);
        else
            text += fmt::format("  v{} [label={}, shape=ellipse];\n", v, quoted_dot(vertices[v].name));
    }
    for (std::size_t n = 0; n < of_node.size(); ++n) {
        text += fmt::format("  subgraph cluster_node{} {{\n    label=\"node{}\";\n", n, n);
        for (const std::size_t v : of_node[n])
            text += fmt::format("    v{} [label={}{}];\n", v, quoted_dot(vertices[v].name),
                                v < fabric.ranks() ? "" : ", shape=ellipse");
        text += "  }\n";
    }
    for (const Link& link : fabric.links())
        text += fmt::format("  v{} -> v{} [label=\"{:.4g} GB/s\", tooltip={}];\n", link.from.value(), link.to.value(),
                            link.capacity.value() / 1e9, quoted_dot(link.name));
    return text + "}\n";
}

std::string htsim_connections(const Fabric& fabric, Bytes bytes) {
    const std::size_t n = fabric.ranks();
    require_at_most(n, 4096, "htsim");
    if (bytes.value() > std::numeric_limits<std::int32_t>::max())
        throw InputError(
            fmt::format("--bytes: found {}, expected at most 2147483647, the largest that htsim reads", bytes.value()));
    std::string text = fmt::format("Nodes {}\nConnections {}\n", n, n * (n - 1));
    std::size_t id = 0;
    for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = 0; b < n; ++b)
            if (a != b) text += fmt::format("{}->{} id {} start 0 size {}\n", a, b, ++id, bytes.value());
    return text;
}

TopologySpec listed(const TopologySpec& spec, const Fabric& fabric) {
    if (spec.kind == TopologyKind::links) return spec;
    TopologySpec t;
    t.name = spec.name;
    t.source = spec.source;
    t.kind = TopologyKind::links;
    t.nodes = spec.nodes;
    t.gpus_per_node = spec.gpus_per_node;
    t.equal_paths = spec.equal_paths;
    t.list.gpus_forward = spec.cross_rail == CrossRail::nvlink;
    std::map<std::pair<std::size_t, double>, std::vector<std::int64_t>> slow;  // (node, speed): indices
    for (std::size_t r = 0; r < fabric.ranks(); ++r) {
        const std::size_t node = fabric.node_of(RankId(r)).value();
        t.list.node_of_gpu.push_back(static_cast<std::int64_t>(node));
        if (const double speed = fabric.speed(RankId(r)); speed < 1)
            slow[{node, speed}].push_back(static_cast<std::int64_t>(r) -
                                          static_cast<std::int64_t>(node) * t.gpus_per_node);
    }
    for (const auto& [key, gpus] : slow)
        t.overrides.push_back({{static_cast<std::int64_t>(key.first)}, gpus, {}, {}, {}, key.second});
    for (std::size_t v = fabric.ranks(); v < fabric.vertices().size(); ++v)
        t.list.switches.push_back(fabric.vertices()[v].name);
    for (const Link& link : fabric.links())
        t.list.links.push_back({link.name,
                                static_cast<std::uint32_t>(link.from.value()),
                                static_cast<std::uint32_t>(link.to.value()),
                                {link.capacity, link.latency},
                                link.link_class});
    check_link_list({nullptr, "--export moesim", "the links"}, t.list);
    return t;
}

double rerouted_share(const Fabric& fabric, const Fabric& other) {
    const auto names = [](const Fabric& f, RankId from, RankId to) {
        std::vector<std::string> all;
        const Route route = f.route(from, to);
        for (const LinkId l : route.links()) all.push_back(f.link(l).name);
        return all;
    };
    const std::size_t step = (fabric.ranks() + 255) / 256;
    std::size_t pairs = 0, rerouted = 0;
    for (std::size_t i = 0; i < fabric.ranks(); i += step)
        for (std::size_t j = 0; j < fabric.ranks(); j += step) {
            if (i == j) continue;
            ++pairs;
            rerouted += names(fabric, RankId(i), RankId(j)) != names(other, RankId(i), RankId(j)) ? 1 : 0;
        }
    return pairs == 0 ? 0 : static_cast<double>(rerouted) / static_cast<double>(pairs);
}

}  // namespace moesim
