#include "config/topology_import/link_list_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "config/json_text.hpp"
#include "config/topology_json.hpp"

namespace moesim {

std::uint32_t LinkListBuilder::add_gpu(std::int64_t node) {
    list_.node_of_gpu.push_back(node);
    return static_cast<std::uint32_t>(list_.node_of_gpu.size() - 1);
}

std::uint32_t LinkListBuilder::add_switch(std::string name) {
    list_.switches.push_back(std::move(name));
    return static_cast<std::uint32_t>(list_.vertices() - 1);
}

std::string LinkListBuilder::name(std::uint32_t vertex) const {
    return vertex < gpus() ? fmt::format("gpu{}", vertex) : list_.switches[vertex - gpus()];
}

void LinkListBuilder::add_link(std::uint32_t from, std::uint32_t to, const LinkSpec& spec, LinkClass link_class) {
    const auto [at, is_new] = known_.try_emplace({from, to}, list_.links.size());
    if (is_new) {
        list_.links.push_back({name(from) + "->" + name(to), from, to, spec, link_class});
        return;
    }
    LinkSpec& sum = list_.links[at->second].spec;
    sum.bandwidth += spec.bandwidth;
    sum.latency = std::max(sum.latency, spec.latency);
}

void LinkListBuilder::add_cable(std::uint32_t a, std::uint32_t b, const LinkSpec& spec, LinkClass link_class) {
    add_link(a, b, spec, link_class);
    add_link(b, a, spec, link_class);
}

TopologySpec LinkListBuilder::topology(const std::string& file, const std::string& source, EqualPaths equal_paths) {
    TopologySpec t;
    const std::string stem = clipped(std::filesystem::path(file).stem().string());
    t.name = stem.empty() ? "topology" : stem;
    t.source = clipped(source, 1000);
    t.kind = TopologyKind::links;
    t.equal_paths = equal_paths;
    t.list = list_;
    t.list.gpus_forward = gpus_forward;
    std::map<std::int64_t, std::int64_t> sizes;
    for (const std::int64_t node : list_.node_of_gpu) ++sizes[node];
    t.nodes = static_cast<std::int64_t>(sizes.size());
    t.gpus_per_node = 0;
    for (const auto& [node, size] : sizes) t.gpus_per_node = std::gcd(t.gpus_per_node, size);
    constexpr double most = 1e15;  // what a list of links may say
    for (ListedLink& l : t.list.links) l.spec.bandwidth = std::min(l.spec.bandwidth, BytesPerSecond(most));
    check_link_list({nullptr, file, "the links"}, t.list);
    return t;
}

}  // namespace moesim
