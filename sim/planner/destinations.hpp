#pragma once
// Placements that send a token to few positions: systems send one copy of it to each, not one to each expert.
#include "planner/connectivity_state.hpp"
#include "planner/problem.hpp"

namespace moesim {

// Positions that a token is sent to, other than where it is, per token and layer.
// classical: it starts at a position that is any one alike, of d positions with experts it is at one with probability
//   d / positions, so d (1 - 1 / positions) are remote.
// coherent: it is where its first choice of the layer before is, in the first layer at any one alike.
// Copies of experts count by the first.
double remote_destinations(const RoutingTrace& trace, const Placement& placement, Dispatch dispatch);

struct DestinationOptions {
    Dispatch dispatch = Dispatch::classical;
    double load_limit = 1.1;  // as AffinityOptions has it
};

// Simulated annealing from an even start. Iterations are proposals; without any limit, 500 for each expert of each
// layer. Needs the trace itself; throws InputError without.
PlannerResult destinations_plan(const PlannerProblem& problem, const DestinationOptions& options, const Effort& effort,
                                const SearchProgress& progress = {});

}  // namespace moesim
