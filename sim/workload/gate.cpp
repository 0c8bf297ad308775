#include "workload/gate.hpp"

#include <algorithm>

#include "base/float_math.hpp"
#include "workload/model_gate.hpp"
#include "workload/noisy_gate.hpp"
#include "workload/topk.hpp"

namespace moesim {

void Gate::draw(const TokenBatch& batch, std::size_t count, Routing& out) const {
    out.clear(static_cast<std::size_t>(batch.tokens.size()), count);
    if (batch.want_gates) out.gates.resize(out.experts.size());
    for_each_token(*this, batch, [&](std::size_t t, std::span<const float> logits) {
        const auto row = std::span(out.experts).subspan(t * count, count);
        select_topk(logits, row);
        if (batch.want_gates) softmax_of_chosen(logits, row, std::span(out.gates).subspan(t * count, count));
    });
}

std::shared_ptr<const Gate> make_gate(const Scenario& s) {
    if (s.routing.model) return std::make_shared<ModelGate>(s.routing.model, s.seed);
    Popularity popularity(s.routing, s.model, s.parallelism, s.seed);
    const Noise noise{s.routing.gaussian_noise, s.routing.affinity};
    return std::make_shared<NoisyGate>(std::move(popularity), noise, s.seed);
}

void softmax_of_chosen(std::span<const float> logits, std::span<const ExpertIndex> chosen, std::span<float> weights) {
    if (chosen.empty() || chosen[0] == no_expert) return;
    // The first need not be the largest: a bias may have chosen it.
    float top = logits[chosen[0]];
    for (const ExpertIndex e : chosen)
        if (e != no_expert) top = std::max(top, logits[e]);
    float sum = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        weights[i] = chosen[i] == no_expert ? 0.0F : float_exp(logits[chosen[i]] - top);
        sum += weights[i];
    }
    for (float& w : weights) w /= sum;
}

}  // namespace moesim
