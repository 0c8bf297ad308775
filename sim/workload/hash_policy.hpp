#pragma once
// Routing by position alone (the balanced form of Roller et al., "Hash Layers", NeurIPS 2021): no gate is learned.
#include "workload/policy.hpp"

namespace moesim {

// The token at position t takes the experts (offset + t k + j) mod E, j = 0..k-1, with equal weights; the offset is
// drawn for each layer. Every E / gcd(k, E) tokens in a row load all experts alike.
class HashPolicy final : public RoutingPolicy {
  public:
    HashPolicy(std::size_t experts, std::size_t top_k, std::uint64_t seed);
    void route(const TokenBatch& batch, Routing& out) const override;

  private:
    std::size_t experts_, top_k_;
    std::uint64_t seed_;
};

}  // namespace moesim
