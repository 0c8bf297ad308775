#pragma once
// Routing that remembers the layer before.
#include "workload/token_policy.hpp"

namespace moesim {

// Top-k after `recurrence` has been added to the logits of the experts whose numbers the token chose in the layer
// before: the effect on choices of a router with a state that is passed from layer to layer (Qiu et al., "Layerwise
// Recurrent Router for Mixture-of-Experts", arXiv:2408.06793).
class RecurrentPolicy final : public TokenPolicy {
  public:
    RecurrentPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, double recurrence)
        : TokenPolicy(std::move(gate), top_k), recurrence_(static_cast<float>(recurrence)) {}

  private:
    std::size_t prepare(const Token& token, std::span<float> logits) const override {
        for (const ExpertIndex e : token.previous)
            if (e != no_expert) logits[e] += recurrence_;
        return top_k();
    }
    float recurrence_;
};

}  // namespace moesim
