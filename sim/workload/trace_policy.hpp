#pragma once
// The choices that a real router made.
#include "workload/policy.hpp"

namespace moesim {

// Token t of the run takes what token t mod trace.tokens took. Gates are unknown: weights are equal.
class TracePolicy final : public RoutingPolicy {
  public:
    // Throws InputError where the trace has another top_k, an expert that the model lacks, or too few layers.
    TracePolicy(std::shared_ptr<const RoutingTrace> trace, const ModelSpec& model);
    void route(const TokenBatch& batch, Routing& out) const override;

  private:
    std::shared_ptr<const RoutingTrace> trace_;
};

}  // namespace moesim
