#include "engine/ring_attention.hpp"

#include <algorithm>

namespace moesim {

std::vector<std::vector<RingStep>> ring_steps(std::span<const RankId> ranks, std::span<const Message> messages) {
    const double block = 1.0 / static_cast<double>(ranks.size());
    std::vector<std::vector<RingStep>> steps(ranks.size(), {RingStep{{}, block}});
    std::vector<std::size_t> step_of(messages.size(), 1);
    for (std::size_t m = 0; m < messages.size(); ++m) {
        for (const std::uint32_t before : messages[m].after) step_of[m] = step_of[before] + 1;
        const auto at = std::find(ranks.begin(), ranks.end(), messages[m].to) - ranks.begin();
        auto& own = steps[static_cast<std::size_t>(at)];
        if (own.size() <= step_of[m]) own.resize(step_of[m] + 1);
        own[step_of[m]].arrivals.push_back(m);
        own[step_of[m]].share += block;
    }
    return steps;
}

}  // namespace moesim
