#include "workload/bias_balanced_policy.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "base/float_math.hpp"
#include "base/split.hpp"

namespace moesim {
namespace {

// Batches before the run use tokens far beyond any that the run has.
constexpr std::int64_t first_warm_up_token = INT64_C(1) << 40;

float sigmoid(float x) { return 1 / (1 + float_exp(-x)); }

void add_bias(std::span<float> logits, std::span<const float> bias) {
    constexpr float never = -std::numeric_limits<float>::infinity();
    constexpr std::size_t chunk = 256;
    const float shift = float_log(static_cast<float>(logits.size()));
    std::array<float, chunk> score{};
    for (std::size_t begin = 0; begin < logits.size(); begin += chunk) {
        const auto part = logits.subspan(begin, std::min(chunk, logits.size() - begin));
        // First without a condition, so that it is vector code.
        for (std::size_t i = 0; i < part.size(); ++i) score[i] = sigmoid(part[i] + shift);
        for (std::size_t i = 0; i < part.size(); ++i) part[i] = part[i] == never ? never : score[i] + bias[begin + i];
    }
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

BiasBalancedPolicy::BiasBalancedPolicy(const std::shared_ptr<const Gate>& gate, std::size_t top_k, std::size_t layers,
                                       std::size_t sources, const BiasSpec& spec)
    : TokenPolicy(gate, top_k), bias_(layers, gate->experts()) {
    for (std::int64_t step = 0; step < spec.steps; ++step) see_batch(step, sources, spec);
}

// The tokens come from as many sources as there are tokens, in equal runs; where there are more sources, they take
// turns.
void BiasBalancedPolicy::see_batch(std::int64_t step, std::size_t sources, const BiasSpec& spec) {
    const auto parts = static_cast<std::int64_t>(std::min<std::size_t>(sources, static_cast<std::size_t>(spec.tokens)));
    std::vector<Routing> routed(static_cast<std::size_t>(parts)), before(routed.size());
    std::vector<std::int64_t> load(bias_.cols());
    for (std::size_t layer = 0; layer < bias_.rows(); ++layer) {
        std::fill(load.begin(), load.end(), 0);
        for (std::int64_t p = 0; p < parts; ++p) {
            const auto i = static_cast<std::size_t>(p);
            TokenBatch batch;
            batch.layer = LayerId(layer);
            batch.source = static_cast<std::size_t>(step * parts + p) % sources;
            const Range tokens = part_of({0, spec.tokens}, parts, p);
            const std::int64_t first = first_warm_up_token + step * spec.tokens;
            batch.tokens = {first + tokens.begin, first + tokens.end};
            batch.previous = layer > 0 ? &before[i] : nullptr;
            route(batch, routed[i]);
            for (const ExpertIndex e : routed[i].experts)
                if (e != no_expert) ++load[e];
        }
        move_bias(load, static_cast<float>(spec.rate), bias_.row(layer));
        std::swap(routed, before);
    }
}

std::size_t BiasBalancedPolicy::prepare(const Token& token, std::span<float> logits) const {
    add_bias(logits, bias(token.layer));
    return top_k();
}

}  // namespace moesim
