#pragma once
// Policies on their own, without a cluster around them.
#include <memory>

#include "workload/policy.hpp"

namespace moesim::test {

// A scenario of which only seed, model and routing matter; uniform softmax top-k until changed.
Scenario routing_scenario(std::int64_t experts, std::int64_t top_k, std::int64_t layers = 1);

// Popularity of given weights, the same in every layer.
PopularitySpec weights(std::vector<double> w);

// The routing of tokens 0..tokens-1 as one batch of one source, layer after layer: [layer].
std::vector<Routing> route_layers(const RoutingPolicy& policy, std::int64_t tokens, std::size_t layers,
                                  bool want_gates = false, std::size_t source = 0);
// The same for one layer of a scenario's policy that looks at no other layer.
Routing route_one(const Scenario& scenario, std::int64_t tokens, std::size_t layer = 0, bool want_gates = false);

// How often each expert was chosen.
std::vector<std::int64_t> load_of(const Routing& routing, std::size_t experts);

}  // namespace moesim::test
