#pragma once
// Experts choose tokens.
#include "workload/gate.hpp"
#include "workload/policy.hpp"

namespace moesim {

// Each expert takes the c = min(ceil(factor n k / E), n) of the n tokens of the batch that have the largest
// probabilities (softmax over experts) for it, of equal ones the earlier; so loads are even, and a token has as many
// experts as chose it (Zhou et al., "Mixture-of-Experts with Expert Choice Routing", NeurIPS 2022). A token's experts
// are ordered by probability, of equal ones the lower id first. The width of the routing is the most that a token got.
class ExpertChoicePolicy final : public RoutingPolicy {
  public:
    ExpertChoicePolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, double factor);
    void route(const TokenBatch& batch, Routing& out) const override;

  private:
    std::shared_ptr<const Gate> gate_;
    std::size_t top_k_;
    double factor_;
};

}  // namespace moesim
