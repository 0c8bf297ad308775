#include "network/detour.hpp"

#include <algorithm>
#include <limits>

#include "base/random.hpp"

namespace moesim {

Detours::Detours(const Fabric& fabric)
    : fabric_(fabric), first_(fabric.vertices().size() + 1), leaving_(fabric.links().size()) {
    const auto& links = fabric.links();
    for (const Link& l : links) ++first_[l.from.value() + 1];
    for (std::size_t v = 1; v < first_.size(); ++v) first_[v] += first_[v - 1];
    auto place = first_;
    for (std::size_t l = 0; l < links.size(); ++l) leaving_[place[links[l].from.value()]++] = l;
}

std::optional<Route> Detours::find(RankId from, RankId to, const std::vector<double>& left) const {
    constexpr auto none = std::numeric_limits<std::size_t>::max();
    const auto& links = fabric_.links();

    struct Reached {
        std::size_t hops = none, by = none;
        double left = 0;
        std::uint64_t draw = 0;
    };
    std::vector<Reached> reached(fabric_.vertices().size());
    reached[from.value()] = {0, none, 1, 0};
    std::vector<std::size_t> queue = {from.value()};
    for (std::size_t i = 0; i < queue.size(); ++i) {
        const Reached here = reached[queue[i]];
        if (here.hops >= reached[to.value()].hops) break;
        for (std::size_t k = first_[queue[i]]; k < first_[queue[i] + 1]; ++k) {
            const std::size_t l = leaving_[k], v = links[l].to.value();
            if (left[l] <= 0) continue;
            const Reached way{here.hops + 1, l, std::min(here.left, left[l]),
                              mix64(mix64(from.value() << 32U | to.value()) + l)};
            Reached& there = reached[v];
            if (there.hops == none) queue.push_back(v);
            const bool better =
                there.hops == none || (there.hops == way.hops &&
                                       (way.left > there.left || (way.left == there.left && way.draw > there.draw)));
            if (better) there = way;
        }
    }
    if (reached[to.value()].hops > max_route_links) return std::nullopt;
    std::vector<LinkId> way;
    for (std::size_t v = to.value(); v != from.value(); v = links[way.back().value()].from.value())
        way.emplace_back(reached[v].by);
    Route route;
    std::for_each(way.rbegin(), way.rend(), [&](LinkId l) { route.push(l); });
    return route;
}

}  // namespace moesim
