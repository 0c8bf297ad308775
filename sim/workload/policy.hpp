#pragma once
// Who goes where: the seam between routing policies and everything that needs token -> expert choices.
#include <cstdint>
#include <memory>
#include <span>

#include "base/ids.hpp"
#include "base/split.hpp"
#include "config/scenario.hpp"

namespace moesim {


// A routing policy. Choices depend on nothing but the seed, the layer and the token, so any range of tokens can be
// asked for in any order, from any thread.
class RoutingPolicy {
  public:
    virtual ~RoutingPolicy() = default;
    RoutingPolicy() = default;
    RoutingPolicy(const RoutingPolicy&) = delete;
    RoutingPolicy& operator=(const RoutingPolicy&) = delete;

    // Chooses top_k distinct experts for each token of the range, best first: out is [token][top_k].
    virtual void route(LayerId layer, Range tokens, std::span<ExpertIndex> out) const = 0;
};

// The policy that a scenario names.
std::unique_ptr<RoutingPolicy> make_policy(const Scenario& scenario);

}  // namespace moesim
