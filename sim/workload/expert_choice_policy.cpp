#include "workload/expert_choice_policy.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/matrix.hpp"
#include "workload/capacity.hpp"

namespace moesim {
namespace {

// In place: logits -> probabilities.
void softmax(std::span<float> logits) {
    const float top = *std::max_element(logits.begin(), logits.end());
    float sum = 0;
    for (float& l : logits) sum += l = std::exp(l - top);
    for (float& l : logits) l /= sum;
}

}  // namespace

ExpertChoicePolicy::ExpertChoicePolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, double factor)
    : gate_(std::move(gate)), top_k_(top_k), factor_(factor) {}

void ExpertChoicePolicy::route(const TokenBatch& batch, Routing& out) const {
    const auto tokens = static_cast<std::size_t>(batch.tokens.size());
    const std::size_t experts = gate_->experts();
    Matrix<float> probability(experts, tokens);
    for_each_token(*gate_, batch, [&](std::size_t t, std::span<float> logits) {
        softmax(logits);
        for (std::size_t e = 0; e < experts; ++e) probability(e, t) = logits[e];
    });
    const auto capacity = static_cast<std::size_t>(
        std::min(expert_capacity(factor_, batch.tokens.size(), static_cast<std::int64_t>(top_k_),
                                 static_cast<std::int64_t>(experts)),
                 batch.tokens.size()));
    struct Choice {
        std::uint32_t token;
        ExpertIndex expert;
        float probability;
    };
    std::vector<Choice> choices;
    choices.reserve(capacity * experts);
    std::vector<std::uint32_t> order(tokens);
    for (std::size_t e = 0; e < experts; ++e) {
        const auto p = std::as_const(probability).row(e);
        std::iota(order.begin(), order.end(), std::uint32_t{0});
        std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(capacity), order.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return p[a] != p[b] ? p[a] > p[b] : a < b; });
        for (std::size_t i = 0; i < capacity; ++i)
            if (p[order[i]] > 0) choices.push_back({order[i], static_cast<ExpertIndex>(e), p[order[i]]});
    }
    std::sort(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
        if (a.token != b.token) return a.token < b.token;
        return a.probability != b.probability ? a.probability > b.probability : a.expert < b.expert;
    });
    std::size_t width = 1, run = 0;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        run = i > 0 && choices[i].token == choices[i - 1].token ? run + 1 : 1;
        width = std::max(width, run);
    }
    out.clear(tokens, width);
    if (batch.want_gates) out.gates.resize(out.experts.size());
    for (std::size_t i = 0, place = 0; i < choices.size(); ++i) {
        place = i > 0 && choices[i].token == choices[i - 1].token ? place + 1 : 0;
        out.experts[choices[i].token * width + place] = choices[i].expert;
        if (batch.want_gates) out.gates[choices[i].token * width + place] = choices[i].probability;
    }
}

}  // namespace moesim
