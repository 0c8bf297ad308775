#include "config/link_graph.hpp"

namespace moesim {
namespace {

// Link ids sorted by the vertex that `end` gives, ids of one vertex in their order.
template <class End>
void sort_by(const LinkListSpec& list, End end, std::vector<std::uint32_t>& ids, std::vector<std::uint32_t>& start) {
    start.assign(list.vertices() + 1, 0);
    for (const ListedLink& link : list.links) ++start[end(link) + 1];
    for (std::size_t v = 1; v < start.size(); ++v) start[v] += start[v - 1];
    std::vector<std::uint32_t> next(start.begin(), start.end() - 1);
    ids.resize(list.links.size());
    for (std::uint32_t l = 0; l < list.links.size(); ++l) ids[next[end(list.links[l])]++] = l;
}

}  // namespace

LinkGraph::LinkGraph(const LinkListSpec& list) : list_(list) {
    sort_by(
        list, [](const ListedLink& l) { return l.from; }, leaving_, leaving_start_);
    sort_by(
        list, [](const ListedLink& l) { return l.to; }, arriving_, arriving_start_);
}

std::vector<std::uint32_t> LinkGraph::hops_to(std::size_t gpu, std::vector<std::uint32_t>& order) const {
    const std::size_t gpus = list_.node_of_gpu.size();
    std::vector<std::uint32_t> hops(list_.vertices(), unreachable);
    hops[gpu] = 0;
    order.assign(1, static_cast<std::uint32_t>(gpu));
    for (std::size_t done = 0; done < order.size(); ++done) {
        const std::uint32_t v = order[done];
        if (v < gpus && v != gpu && !list_.gpus_forward) continue;
        for (std::uint32_t at = arriving_start_[v]; at < arriving_start_[v + 1]; ++at) {
            const std::uint32_t from = list_.links[arriving_[at]].from;
            if (hops[from] != unreachable) continue;
            hops[from] = hops[v] + 1;
            order.push_back(from);
        }
    }
    return hops;
}

}  // namespace moesim
