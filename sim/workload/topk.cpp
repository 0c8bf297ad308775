#include "workload/topk.hpp"

namespace moesim {

void select_topk(std::span<const double> logits, std::span<ExpertIndex> chosen) {
    std::size_t held = 0;
    for (std::size_t e = 0; e < logits.size(); ++e) {
        // Insertion from the back; an equal logit stays behind the earlier, lower id.
        std::size_t place = held;
        while (place > 0 && logits[chosen[place - 1]] < logits[e]) --place;
        if (place == chosen.size()) continue;
        if (held < chosen.size()) ++held;
        for (std::size_t i = held - 1; i > place; --i) chosen[i] = chosen[i - 1];
        chosen[place] = static_cast<ExpertIndex>(e);
    }
}

}  // namespace moesim
