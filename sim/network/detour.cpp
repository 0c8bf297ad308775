#include "network/detour.hpp"

#include <algorithm>
#include <limits>

namespace moesim {

std::optional<Route> detour(const Fabric& fabric, RankId from, RankId to, const std::vector<bool>& failed) {
    constexpr auto none = std::numeric_limits<std::size_t>::max();
    const auto& links = fabric.links();
    // Links by the vertex that they leave, ids ascending.
    std::vector<std::size_t> first(fabric.vertices().size() + 1), leaving(links.size());
    for (const Link& l : links) ++first[l.from.value() + 1];
    for (std::size_t v = 1; v < first.size(); ++v) first[v] += first[v - 1];
    auto place = first;
    for (std::size_t l = 0; l < links.size(); ++l) leaving[place[links[l].from.value()]++] = l;

    std::vector<std::size_t> came_by(fabric.vertices().size(), none);
    std::vector<std::size_t> reached = {from.value()};
    for (std::size_t i = 0; i < reached.size() && came_by[to.value()] == none; ++i)
        for (std::size_t k = first[reached[i]]; k < first[reached[i] + 1]; ++k) {
            const std::size_t l = leaving[k], v = links[l].to.value();
            if (failed[l] || v == from.value() || came_by[v] != none) continue;
            came_by[v] = l;
            reached.push_back(v);
        }
    std::vector<LinkId> way;
    for (std::size_t v = to.value(); v != from.value(); v = links[came_by[v]].from.value()) {
        if (came_by[v] == none || way.size() == max_route_links) return std::nullopt;
        way.emplace_back(came_by[v]);
    }
    Route route;
    std::for_each(way.rbegin(), way.rend(), [&](LinkId l) { route.push(l); });
    return route;
}

}  // namespace moesim
