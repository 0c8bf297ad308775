#pragma once
// Layers that some tokens go around.
#include "workload/policy.hpp"

namespace moesim {

// Another policy's routing, without the tokens that bypass the layer: a part of them that is stated for each layer, by
// a draw for each token and layer (as in Raposo et al., "Mixture-of-Depths", arXiv:2404.02258, where a router draws
// the line). What other tokens get does not change.
class SkippingPolicy final : public RoutingPolicy {
  public:
    // parts: [layer], or one for all layers
    SkippingPolicy(std::unique_ptr<RoutingPolicy> inner, std::vector<double> parts, std::uint64_t seed);
    void route(const TokenBatch& batch, Routing& out) const override;

  private:
    std::unique_ptr<RoutingPolicy> inner_;
    std::vector<double> parts_;
    std::uint64_t seed_;
};

}  // namespace moesim
