#pragma once
// The k experts with the largest logits.
#include <memory>

#include "workload/gate.hpp"
#include "workload/policy.hpp"

namespace moesim {

// softmax: results are summed up by the softmax of the chosen logits (Shazeer et al., ICLR 2017; top-1: Fedus et al.,
// "Switch Transformers", JMLR 2022). equal: by 1/k each ("hard" top-k).
enum class GateWeights : unsigned char { softmax, equal };

class TopkPolicy final : public RoutingPolicy {
  public:
    TopkPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, GateWeights weights);
    void route(const TokenBatch& batch, Routing& out) const override;

  private:
    std::shared_ptr<const Gate> gate_;
    std::size_t top_k_;
    GateWeights weights_;
};

}  // namespace moesim
