#pragma once
// Placements that look at no workload. Their value is load_imbalance all the same.
#include "planner/problem.hpp"

namespace moesim {

// Expert e at e / ceil(experts / positions).
PlannerResult contiguous_plan(const PlannerProblem& problem, const Effort& effort);
// At e mod positions.
PlannerResult round_robin_plan(const PlannerProblem& problem, const Effort& effort);
// Each layer shuffled on its own, by the seed; as many experts a position as contiguous placement has.
PlannerResult random_plan(const PlannerProblem& problem, const Effort& effort);

}  // namespace moesim
