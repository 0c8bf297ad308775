#include "support/placements.hpp"

#include "base/random.hpp"

namespace moesim::test {

Placement random_placement(std::uint64_t number, std::size_t layers, std::size_t experts, std::size_t positions,
                           bool even) {
    RandomStream random(stream_key(24, 0), number);
    const auto below = [&](std::size_t n) { return random.below(static_cast<std::uint32_t>(n)); };
    const std::size_t slots = (experts + positions - 1) / positions + below(3);
    std::vector<std::vector<std::vector<std::uint32_t>>> replicas(layers);
    for (auto& layer : replicas) {
        layer.resize(experts);
        if (!even) {
            for (auto& copies : layer)
                for (std::uint32_t n = 1 + below(3); n > 0; --n) copies.push_back(below(positions));
            continue;
        }
        // Every expert once and others at random, dealt out in a shuffled order.
        std::vector<std::size_t> deck(slots * positions);
        for (std::size_t i = 0; i < deck.size(); ++i) {
            deck[i] = i < experts ? i : below(experts);
            std::swap(deck[i], deck[below(i + 1)]);
        }
        for (std::size_t i = 0; i < deck.size(); ++i) layer[deck[i]].push_back(static_cast<std::uint32_t>(i / slots));
    }
    return {std::move(replicas), positions};
}

}  // namespace moesim::test
