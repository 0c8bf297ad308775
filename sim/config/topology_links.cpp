// The kind "links" of moesim.topology/1: any cluster, link by link.
#include <fmt/format.h>

#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "config/json_text.hpp"
#include "config/link_graph.hpp"
#include "config/topology_json.hpp"

namespace moesim {
namespace {

using Vertices = std::unordered_map<std::string, std::uint32_t>;

std::string quoted_name(const std::string& name) { return clipped(nlohmann::json(name).dump(-1, ' ', true)); }

// The node of each GPU. Ranks of one tensor-parallel group follow each other, so GPUs of one node have to.
void parse_nodes(const JsonValue& value, TopologySpec& t) {
    std::vector<std::int64_t> sizes;
    for (const JsonValue& v : value.elements(1, max_listed_gpus)) {
        const auto last = static_cast<std::int64_t>(sizes.size()) - 1;
        const std::int64_t node =
            v.integer(std::max<std::int64_t>(last, 0), last + 1, "GPUs of a node follow each other, and so do nodes");
        if (node > last) sizes.push_back(0);
        ++sizes.back();
        t.list.node_of_gpu.push_back(node);
    }
    t.nodes = static_cast<std::int64_t>(sizes.size());
    t.gpus_per_node = 0;
    for (const std::int64_t size : sizes) t.gpus_per_node = std::gcd(t.gpus_per_node, size);
}

Vertices parse_vertices(const JsonObject& o, TopologySpec& t) {
    Vertices vertices;
    const std::size_t gpus = t.list.node_of_gpu.size();
    for (std::uint32_t g = 0; g < gpus; ++g) vertices.emplace(fmt::format("gpu{}", g), g);
    if (!o["switches"].present()) return vertices;
    for (const JsonValue& v : o["switches"].elements(0, max_listed_switches)) {
        t.list.switches.push_back(v.line(64));
        if (!vertices.emplace(t.list.switches.back(), static_cast<std::uint32_t>(vertices.size())).second)
            v.fail("a name that no other switch and no GPU has");
    }
    return vertices;
}

std::uint32_t vertex(const JsonValue& v, const Vertices& vertices, std::size_t gpus) {
    const auto at = vertices.find(v.line());
    if (at == vertices.end()) v.fail(fmt::format("a switch, or a GPU from \"gpu0\" to \"gpu{}\"", gpus - 1));
    return at->second;
}

void parse_links(const JsonValue& value, const Vertices& vertices, LinkListSpec& list) {
    std::unordered_set<std::string> names;
    const std::size_t gpus = list.node_of_gpu.size();
    const auto add = [&](const JsonValue& at, ListedLink link) {
        if (!names.insert(link.name).second)
            at.fail_with("the link " + quoted_name(link.name) + " again", "names that no two links share");
        list.links.push_back(std::move(link));
    };
    for (const JsonValue& element : value.elements(gpus > 1 ? 1 : 0, max_listed_links)) {
        const JsonObject o(element, {"name", "from", "to", "bandwidth", "latency", "class", "both_ways"});
        ListedLink link;
        link.from = vertex(o["from"], vertices, gpus);
        link.to = vertex(o["to"], vertices, gpus);
        if (link.from == link.to) o["to"].fail("another place than the link comes from");
        link.spec = {parse_bandwidth(o), parse_latency(o)};
        link.link_class = static_cast<LinkClass>(o["class"].choice(link_class_names));
        const bool both = o["both_ways"].present() && o["both_ways"].boolean();
        const std::string from = o["from"].line(), to = o["to"].line();
        const std::string name =
            o["name"].present() ? o["name"].line() : fmt::format("{}{}{}", from, both ? "-" : "->", to);
        link.name = both ? name + ".up" : name;
        add(element, link);
        if (!both) continue;
        std::swap(link.from, link.to);
        link.name = name + ".down";
        add(element, link);
    }
}

void require_small(const JsonValue& at, const LinkListSpec& list) {
    const std::size_t gpus = list.node_of_gpu.size();
    const auto most = [&](std::size_t count, const char* what, std::size_t limit) {
        if (count > limit) at.fail_with(fmt::format("{} {}", count, what), fmt::format("at most {}", limit));
    };
    most(gpus, "GPUs", max_listed_gpus);
    most(list.switches.size(), "switches", max_listed_switches);
    most(list.links.size(), "links", 2 * max_listed_links);
    if (gpus * list.vertices() > max_listed_table)
        at.fail_with(fmt::format("{} GPUs x {} vertices", gpus, list.vertices()),
                     fmt::format("a product of at most {}", max_listed_table));
    if (gpus * list.links.size() > max_listed_steps)
        at.fail_with(fmt::format("{} GPUs x {} links", gpus, list.links.size()),
                     fmt::format("a product of at most {}", max_listed_steps));
}

void require_ways(const JsonValue& at, const LinkListSpec& list) {
    const LinkGraph graph(list);
    std::vector<std::uint32_t> order;
    for (std::size_t to = 0; to < list.node_of_gpu.size(); ++to) {
        const auto hops = graph.hops_to(to, order);
        for (std::size_t from = 0; from < list.node_of_gpu.size(); ++from) {
            if (hops[from] == LinkGraph::unreachable)
                at.fail_with(fmt::format("no way from gpu{} to gpu{}", from, to),
                             list.gpus_forward
                                 ? "one between all GPUs"
                                 : "one between all GPUs that passes through none (gpus_forward allows it)");
            if (hops[from] > max_route_links)
                at.fail_with(fmt::format("a way of {} links from gpu{} to gpu{}", hops[from], from, to),
                             fmt::format("ways of at most {}", max_route_links));
        }
    }
}

}  // namespace

void parse_link_list(const JsonObject& o, TopologySpec& t) {
    parse_nodes(o["node_of_gpu"], t);
    const Vertices vertices = parse_vertices(o, t);
    parse_links(o["links"], vertices, t.list);
    if (o["gpus_forward"].present()) t.list.gpus_forward = o["gpus_forward"].boolean();
    if (o["routing"].present()) t.equal_paths = static_cast<EqualPaths>(o["routing"].choice({"lowest_id", "hash"}));
    check_link_list(o["links"], t.list);
}

void check_link_list(const JsonValue& at, const LinkListSpec& list) {
    require_small(at, list);
    require_ways(at, list);
}

void write_link_list(const TopologySpec& t, nlohmann::ordered_json& j) {
    const LinkListSpec& list = t.list;
    const std::size_t gpus = list.node_of_gpu.size();
    const auto name = [&](std::uint32_t v) { return v < gpus ? fmt::format("gpu{}", v) : list.switches[v - gpus]; };
    if (t.equal_paths == EqualPaths::hash) j["routing"] = "hash";
    if (list.gpus_forward) j["gpus_forward"] = true;
    j["node_of_gpu"] = list.node_of_gpu;
    j["switches"] = list.switches;
    j["links"] = nlohmann::ordered_json::array();
    for (const ListedLink& l : list.links) {
        nlohmann::ordered_json link = {{"name", l.name}, {"from", name(l.from)}, {"to", name(l.to)}};
        link.update(link_spec_json(l.spec));
        link["class"] = link_class_names[static_cast<std::size_t>(l.link_class)];
        j["links"].push_back(std::move(link));
    }
}

}  // namespace moesim
