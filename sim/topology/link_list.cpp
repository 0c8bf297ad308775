#include "topology/link_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "config/link_graph.hpp"
#include "topology/ecmp.hpp"
#include "topology/fabric_builder.hpp"

namespace moesim {
namespace {

class LinkListRouter final : public Router {
  public:
    LinkListRouter(const LinkListSpec& list, bool hash) : vertices_(list.vertices()), hash_(hash) {
        for (const ListedLink& l : list.links) to_.push_back(l.to);
        const LinkGraph graph(list);
        const std::size_t gpus = list.node_of_gpu.size();
        next_.resize(gpus * vertices_);
        std::map<std::vector<std::uint32_t>, std::uint32_t> known;
        std::vector<std::uint32_t> order, best;
        struct Way {  // from a vertex on
            double narrowest = 0, latency = 0;
        };
        std::vector<Way> ways(vertices_);
        for (std::size_t to = 0; to < gpus; ++to) {
            const auto hops = graph.hops_to(to, order);
            ways[to] = {std::numeric_limits<double>::infinity(), 0};
            for (const std::uint32_t v : order) {  // nearest first, so that what comes next is known
                if (v == to) continue;
                best.clear();
                for (const std::uint32_t l : graph.leaving(v)) {
                    const std::uint32_t w = to_[l];
                    const bool through = w >= gpus || w == to || list.gpus_forward;
                    if (!through || hops[w] == LinkGraph::unreachable || hops[w] + 1 != hops[v]) continue;
                    const LinkSpec& link = list.links[l].spec;
                    const Way way{std::min(link.bandwidth.value(), ways[w].narrowest),
                                  link.latency.value() + ways[w].latency};
                    const auto better = [](const Way& a, const Way& b) {
                        return a.narrowest != b.narrowest ? a.narrowest > b.narrowest : a.latency < b.latency;
                    };
                    if (best.empty() || better(way, ways[v])) best.clear(), ways[v] = way;
                    if (!better(ways[v], way) && (hash || best.empty())) best.push_back(l);
                }
                const auto [at, is_new] = known.try_emplace(best, static_cast<std::uint32_t>(choices_.size()));
                if (is_new) choices_.push_back(best);
                next_[to * vertices_ + v] = at->second;
            }
        }
    }

    [[nodiscard]] Route route(RankId from, RankId to) const override {
        Route r;
        for (std::size_t v = from.value(); v != to.value(); v = to_[r.links().back().value()]) {
            const auto& links = choices_[next_[to.value() * vertices_ + v]];
            r.push(LinkId(links[hash_ ? equal_path(from, to, links.size(), v) : 0]));
        }
        return r;
    }

  private:
    std::size_t vertices_;
    bool hash_;
    std::vector<std::uint32_t> to_;                    // [link]
    std::vector<std::uint32_t> next_;                  // [receiver][vertex]: which of choices_
    std::vector<std::vector<std::uint32_t>> choices_;  // next links that are as good as each other
};

}  // namespace

Fabric build_link_list(const TopologySpec& t) {
    FabricBuilder builder;
    for (std::size_t g = 0; g < t.list.node_of_gpu.size(); ++g) {
        const NodeId node(static_cast<std::size_t>(t.list.node_of_gpu[g]));
        builder.add_vertex(fmt::format("gpu{}", g), node);
        builder.parts.node_of.push_back(node);
        builder.parts.speed.push_back(1.0);
    }
    const auto& nodes = t.list.node_of_gpu;
    for (const OverrideSpec& s : t.overrides)
        for (const std::int64_t node : s.nodes) {
            const auto [first, last] = std::equal_range(nodes.begin(), nodes.end(), node);
            const auto gpu = builder.parts.speed.begin() + (first - nodes.begin());
            if (s.gpus.empty()) std::fill(gpu, gpu + (last - first), *s.speed);
            for (const std::int64_t index : s.gpus) gpu[index] = *s.speed;
        }
    for (const std::string& name : t.list.switches) builder.add_vertex(name);
    for (const ListedLink& l : t.list.links)
        builder.add_link(l.name, l.link_class, l.spec, VertexId(l.from), VertexId(l.to));
    return {std::move(builder.parts), std::make_shared<LinkListRouter>(t.list, t.equal_paths == EqualPaths::hash)};
}

}  // namespace moesim
