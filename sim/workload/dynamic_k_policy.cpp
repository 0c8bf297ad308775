#include "workload/dynamic_k_policy.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "workload/softmax.hpp"
#include "workload/topk.hpp"

namespace moesim {

std::size_t scheduled_k(Schedule schedule, std::size_t least, std::size_t k_max, std::size_t layer,
                        std::size_t layers) {
    const double place = layers > 1 ? static_cast<double>(layer) / static_cast<double>(layers - 1) : 0;
    double height = 1;  // 0: least, 1: k_max
    switch (schedule) {
        case Schedule::uniform: break;
        case Schedule::descending: height = 1 - place; break;
        case Schedule::ascending: height = layers > 1 ? place : 1; break;
        case Schedule::pyramid: height = layers > 1 ? 1 - std::abs(2 * place - 1) : 1; break;
        case Schedule::wave:
            height = 0.5 + 0.5 * std::cos(std::numbers::pi / 2 * static_cast<double>(layer % 4));
            break;
    }
    return least + static_cast<std::size_t>(std::floor(height * static_cast<double>(k_max - least) + 0.5 + 1e-9));
}

DynamicKPolicy::DynamicKPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, std::size_t layers,
                               const DynamicKSpec& spec)
    : TokenPolicy(std::move(gate), top_k), spec_(spec) {
    for (std::size_t layer = 0; layer < layers; ++layer)
        most_.push_back(scheduled_k(spec.schedule, static_cast<std::size_t>(spec.least), top_k, layer, layers));
}

std::size_t DynamicKPolicy::prepare(const Token& token, std::span<float> logits) const {
    const std::size_t most = most_[token.layer.value()];
    std::vector<ExpertIndex> best(most);
    select_topk(logits, best);
    std::vector<float> weight(logits.begin(), logits.end());
    const double all = exp_below_largest(weight);
    double reached = 0;
    std::size_t count = 0;
    while (count < most && best[count] != no_expert &&
           (count < static_cast<std::size_t>(spec_.least) || reached < spec_.threshold * all))
        reached += static_cast<double>(weight[best[count++]]);
    return count;
}

}  // namespace moesim
