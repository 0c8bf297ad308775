#include "planner/affinity_placement.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

Placement affinity_placement(const RoutingTrace& trace, std::size_t positions) {
    const std::size_t experts = trace.experts, room = (experts + positions - 1) / positions;
    Matrix<std::uint32_t> place(trace.layers, experts);
    for (std::size_t e = 0; e < experts; ++e) place(0, e) = static_cast<std::uint32_t>(e / room);
    std::vector<std::size_t> order(experts * positions);  // expert * positions + position
    for (std::size_t layer = 1; layer < trace.layers; ++layer) {
        std::vector<std::int64_t> together(order.size());
        for (std::size_t t = 0; t < trace.tokens; ++t)
            for (const ExpertIndex e : trace.at(t, layer))
                for (const ExpertIndex b : trace.at(t, layer - 1))
                    if (e != no_expert && b != no_expert) ++together[e * positions + place(layer - 1, b)];
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return together[a] > together[b]; });
        std::vector<std::size_t> held(positions);
        std::vector<bool> placed(experts);
        for (const std::size_t pair : order) {
            const std::size_t e = pair / positions, p = pair % positions;
            if (placed[e] || held[p] == room) continue;
            placed[e] = true;
            ++held[p];
            place(layer, e) = static_cast<std::uint32_t>(p);
        }
    }
    return {std::move(place), positions};
}

}  // namespace moesim
