#pragma once
// Who goes where: the seam between routing policies and everything that needs token -> expert choices.
#include <memory>

#include "config/scenario.hpp"
#include "config/trace/trace.hpp"
#include "workload/routing.hpp"

namespace moesim {

// A routing policy. Choices depend on nothing but the seed, the batch and (for some) the previous layer's choices, so
// batches can be asked for in any order, from any thread.
class RoutingPolicy {
  public:
    virtual ~RoutingPolicy() = default;
    RoutingPolicy() = default;
    RoutingPolicy(const RoutingPolicy&) = delete;
    RoutingPolicy& operator=(const RoutingPolicy&) = delete;

    // Distinct experts for each token of the batch. `out` is overwritten; its memory serves again.
    virtual void route(const TokenBatch& batch, Routing& out) const = 0;
};

// The policy that a scenario names. The policy "trace" needs the trace that was read. Throws InputError where that does
// not fit the model.
std::unique_ptr<RoutingPolicy> make_policy(const Scenario& scenario,
                                           std::shared_ptr<const RoutingTrace> trace = nullptr);

}  // namespace moesim
