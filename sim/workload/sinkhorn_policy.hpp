#pragma once
// Balanced assignment by Sinkhorn's iteration.
#include "base/matrix.hpp"
#include "workload/gate.hpp"
#include "workload/policy.hpp"

namespace moesim {

// Scales rows and columns of exp(scores) in turn until each of the n rows sums to 1 and each of the E columns to n / E,
// to within `tolerance` (relative), or `most` rounds (Sinkhorn 1964; as a router: Clark et al., "Unified Scaling Laws
// for Routed Language Models", ICML 2022). A column without weight stays 0. Returns the rounds that were made.
int balance(Matrix<float>& scores, double tolerance, int most);

// The k experts with the largest entries of the balanced matrix of the batch. Weights are the softmax of the logits.
class SinkhornPolicy final : public RoutingPolicy {
  public:
    SinkhornPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k) : gate_(std::move(gate)), top_k_(top_k) {}
    void route(const TokenBatch& batch, Routing& out) const override;

  private:
    std::shared_ptr<const Gate> gate_;
    std::size_t top_k_;
};

}  // namespace moesim
