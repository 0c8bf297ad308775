#include "workload/topk.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace moesim {
namespace {

// Insertion, best where k is small beside the number of experts: most logits meet one comparison.
void insert(std::span<const float> logits, std::span<ExpertIndex> chosen) {
    constexpr float never = -std::numeric_limits<float>::infinity();
    std::size_t held = 0;
    for (std::size_t e = 0; e < logits.size(); ++e) {
        if (logits[e] == never) continue;
        // From the back; an equal logit stays behind the earlier, lower id.
        std::size_t place = held;
        while (place > 0 && logits[chosen[place - 1]] < logits[e]) --place;
        if (place == chosen.size()) continue;
        if (held < chosen.size()) ++held;
        for (std::size_t i = held - 1; i > place; --i) chosen[i] = chosen[i - 1];
        chosen[place] = static_cast<ExpertIndex>(e);
    }
    std::fill(chosen.begin() + static_cast<std::ptrdiff_t>(held), chosen.end(), no_expert);
}

}  // namespace

void select_topk(std::span<const float> logits, std::span<ExpertIndex> chosen) {
    constexpr std::size_t small = 16;
    if (chosen.size() <= small) {
        insert(logits, chosen);
        return;
    }
    std::vector<ExpertIndex> ids;
    for (std::size_t e = 0; e < logits.size(); ++e)
        if (logits[e] != -std::numeric_limits<float>::infinity()) ids.push_back(static_cast<ExpertIndex>(e));
    const std::size_t count = std::min(ids.size(), chosen.size());
    std::partial_sort(
        ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
        [&](ExpertIndex a, ExpertIndex b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
    std::copy_n(ids.begin(), count, chosen.begin());
    std::fill(chosen.begin() + static_cast<std::ptrdiff_t>(count), chosen.end(), no_expert);
}

}  // namespace moesim
