#include "workload/bias_balanced_policy.hpp"

#include <cmath>
#include <numeric>

#include "workload/topk.hpp"

namespace moesim {
namespace {

// Batches before the run use tokens far beyond any that the run has.
constexpr std::int64_t first_warm_up_token = INT64_C(1) << 40;

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

void add_bias(std::span<float> logits, std::span<const float> bias) {
    const float shift = std::log(static_cast<float>(logits.size()));
    for (std::size_t e = 0; e < logits.size(); ++e)
        if (std::isfinite(logits[e])) logits[e] = sigmoid(logits[e] + shift) + bias[e];
}

}  // namespace

void move_bias(std::span<const std::int64_t> load, float rate, std::span<float> bias) {
    const std::int64_t sum = std::accumulate(load.begin(), load.end(), std::int64_t{0});
    const auto experts = static_cast<std::int64_t>(load.size());
    for (std::size_t e = 0; e < load.size(); ++e) {
        const std::int64_t over = load[e] * experts - sum;
        if (over != 0) bias[e] += over > 0 ? -rate : rate;
    }
}

BiasBalancedPolicy::BiasBalancedPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, std::size_t layers,
                                       const BiasSpec& spec)
    : TokenPolicy(gate, top_k), bias_(layers, gate->experts()) {
    std::vector<ExpertIndex> chosen(top_k);
    std::vector<std::int64_t> load(gate->experts());
    for (std::size_t layer = 0; layer < layers; ++layer)
        for (std::int64_t step = 0; step < spec.steps; ++step) {
            std::fill(load.begin(), load.end(), 0);
            TokenBatch batch;
            batch.layer = LayerId(layer);
            batch.tokens.begin = first_warm_up_token + step * spec.tokens;
            batch.tokens.end = batch.tokens.begin + spec.tokens;
            for_each_token(*gate, batch, [&](std::size_t, std::span<float> logits) {
                add_bias(logits, bias_.row(layer));
                select_topk(logits, chosen);
                for (const ExpertIndex e : chosen)
                    if (e != no_expert) ++load[e];
            });
            move_bias(load, static_cast<float>(spec.rate), bias_.row(layer));
        }
}

std::size_t BiasBalancedPolicy::prepare(const Token& token, std::span<float> logits) const {
    add_bias(logits, bias(token.layer));
    return top_k();
}

}  // namespace moesim
