#include "result/topology_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "result/human.hpp"

namespace moesim {
namespace {

std::string_view class_name(LinkClass c) { return link_class_names[static_cast<std::size_t>(c)]; }
std::string rate(BytesPerSecond r) { return human(Bytes(std::llround(std::min(r.value(), 9e18)))) + "/s"; }

template <class T, class Show>
std::string range(const Spread<T>& r, Show show) {
    return r.least == r.most ? show(r.least) : show(r.least) + " to " + show(r.most);
}
std::string seconds(Seconds s) { return human(s); }

std::string path_text(const DistanceClass& c) {
    std::string text = c.inside_node ? "in a node: " : "";
    for (const auto& [link_class, count] : c.path)
        text += fmt::format("{}{}{}", &link_class == &c.path.front().first ? "" : ", ",
                            count > 1 ? fmt::format("{} ", count) : "", class_name(link_class));
    return text;
}

// Links of one class and one capacity.
std::map<std::pair<LinkClass, BytesPerSecond>, std::int64_t> kinds_of_links(const Fabric& fabric) {
    std::map<std::pair<LinkClass, BytesPerSecond>, std::int64_t> kinds;
    for (const Link& link : fabric.links()) ++kinds[{link.link_class, link.capacity}];
    return kinds;
}

template <class T>
nlohmann::ordered_json range_json(const Spread<T>& r) {
    return {{"least", r.least.value()}, {"most", r.most.value()}};
}

}  // namespace

std::string table(const TopologySpec& spec, const Fabric& fabric, const TopologyDescription& d) {
    const std::size_t ranks = fabric.ranks(), half = ranks / 2;
    std::string text = fmt::format(
        "{}: {}, {} in {}\n\n", spec.name, topology_kind_names[static_cast<std::size_t>(spec.kind)],
        counted(static_cast<std::int64_t>(ranks), "GPU"), counted(static_cast<std::int64_t>(fabric.nodes()), "node"));
    if (half > 0) {
        text += fmt::format("bisection    {} from GPUs 0 to {} to the others, the least cut\n", rate(d.bisection),
                            half - 1);
        text += fmt::format("             {} where each of them sends to each other one alike\n",
                            rate(d.bisection_all_pairs));
    }
    std::size_t shown = 0;
    for (const auto& [kind, count] : kinds_of_links(fabric)) {
        if (++shown > 12) {
            text += "             ...\n";
            break;
        }
        text += fmt::format("{:<12} {} {} of {}\n", shown == 1 ? "links" : "", count, class_name(kind.first),
                            rate(kind.second));
    }
    if (d.classes.empty()) return text;
    text += fmt::format("paths        {:.4g} links on average:", d.mean_hops);
    for (std::size_t hops = 0; hops < d.pairs_by_hops.size(); ++hops)
        if (d.pairs_by_hops[hops] > 0)
            text +=
                fmt::format(" {} of {}{}", d.pairs_by_hops[hops], hops, hops + 1 < d.pairs_by_hops.size() ? "," : "\n");
    text += fmt::format("\n{:<42} {:>10} {:>6}   {:<24} {}\n", "from GPU to GPU over", "pairs", "links", "latency",
                        "narrowest link");
    for (const DistanceClass& c : d.classes)
        text += fmt::format("{:<42} {:>10} {:>6}   {:<24} {}\n", path_text(c), c.pairs, c.hops,
                            range(c.latency, seconds), range(c.narrowest, rate));
    return text;
}

nlohmann::ordered_json to_json(const TopologySpec& spec, const Fabric& fabric, const TopologyDescription& d) {
    nlohmann::ordered_json j = {{"schema", "moesim.topology-description/1"},
                                {"name", spec.name},
                                {"source", spec.source},
                                {"kind", topology_kind_names[static_cast<std::size_t>(spec.kind)]},
                                {"gpus", fabric.ranks()},
                                {"nodes", fabric.nodes()},
                                {"bisection_bytes_per_s", d.bisection.value()},
                                {"bisection_all_pairs_bytes_per_s", d.bisection_all_pairs.value()},
                                {"mean_hops", d.mean_hops}};
    j["links"] = nlohmann::ordered_json::array();
    for (const auto& [kind, count] : kinds_of_links(fabric))
        j["links"].push_back(
            {{"class", class_name(kind.first)}, {"bytes_per_s", kind.second.value()}, {"count", count}});
    j["pairs_by_hops"] = nlohmann::ordered_json::array();
    for (std::size_t hops = 0; hops < d.pairs_by_hops.size(); ++hops)
        if (d.pairs_by_hops[hops] > 0) j["pairs_by_hops"].push_back({{"hops", hops}, {"pairs", d.pairs_by_hops[hops]}});
    j["distances"] = nlohmann::ordered_json::array();
    for (const DistanceClass& c : d.classes) {
        nlohmann::ordered_json path = nlohmann::ordered_json::array();
        for (const auto& [link_class, count] : c.path)
            path.push_back({{"class", class_name(link_class)}, {"links", count}});
        j["distances"].push_back({{"inside_node", c.inside_node},
                                  {"path", std::move(path)},
                                  {"hops", c.hops},
                                  {"pairs", c.pairs},
                                  {"latency_s", range_json(c.latency)},
                                  {"narrowest_bytes_per_s", range_json(c.narrowest)}});
    }
    return j;
}

}  // namespace moesim
