#include "workload/capacity.hpp"

#include <cmath>
#include <vector>

namespace moesim {

std::int64_t expert_capacity(double factor, std::int64_t tokens, std::int64_t top_k, std::int64_t experts) {
    const double share = static_cast<double>(tokens) * static_cast<double>(top_k) / static_cast<double>(experts);
    // 1.1 * 100 is 110.00000000000001 in doubles; what is that close to a whole number is meant to be it.
    return static_cast<std::int64_t>(std::ceil(factor * share * (1 - 1e-12)));
}

std::int64_t drop_overflow(std::span<ExpertIndex> choices, std::int64_t capacity, std::int64_t experts) {
    std::vector<std::int64_t> load(static_cast<std::size_t>(experts));
    std::int64_t dropped = 0;
    for (ExpertIndex& expert : choices) {
        if (load[expert]++ < capacity) continue;
        expert = no_expert;
        ++dropped;
    }
    return dropped;
}

}  // namespace moesim
