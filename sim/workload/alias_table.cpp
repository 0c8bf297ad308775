#include "workload/alias_table.hpp"

#include <numeric>

namespace moesim {

AliasTable::AliasTable(std::span<const double> weights) : slots_(weights.size()) {
    const auto n = static_cast<double>(weights.size());
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<double> share(weights.size());  // of the mean weight
    std::vector<std::uint32_t> below, above;
    for (std::uint32_t i = 0; i < weights.size(); ++i) {
        share[i] = weights[i] * n / sum;
        (share[i] < 1.0 ? below : above).push_back(i);
    }
    while (!below.empty() && !above.empty()) {
        const std::uint32_t poor = below.back(), rich = above.back();
        below.pop_back();
        slots_[poor] = {static_cast<std::uint64_t>(share[poor] * 0x1p32), rich};
        share[rich] -= 1.0 - share[poor];
        if (share[rich] < 1.0) {
            above.pop_back();
            below.push_back(rich);
        }
    }
    for (const auto* rest : {&below, &above})  // shares of 1 up to rounding
        for (const std::uint32_t i : *rest) slots_[i] = {std::uint64_t{1} << 32, i};
}

}  // namespace moesim
