#pragma once
// Experts that do nothing, so that an easy token takes fewer real ones.
#include "workload/gate.hpp"
#include "workload/policy.hpp"

namespace moesim {

// Top-k among the experts and spec.count null experts of equal popularity, together spec.share of all; places that go
// to null experts stay empty (Zeng et al., "AdaMoE", EMNLP 2024 Findings). Null experts' logits are
// log(share / count / (1 - share)) + Gumbel noise, beside those of the gate, whose popularities sum to 1.
class NullExpertPolicy final : public RoutingPolicy {
  public:
    NullExpertPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, const NullSpec& spec, std::uint64_t seed);
    void route(const TokenBatch& batch, Routing& out) const override;

  private:
    std::shared_ptr<const Gate> gate_;
    std::size_t top_k_;
    NullSpec spec_;
    std::uint64_t seed_;
};

}  // namespace moesim
