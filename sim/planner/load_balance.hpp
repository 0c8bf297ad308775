#pragma once
// Placements that spread the load evenly and look at nothing else.
#include "planner/problem.hpp"

namespace moesim {

// Longest processing time first (Graham 1969): in each layer the experts by falling load, each to the lightest position
// that has fewer than ceil(experts / positions).
PlannerResult longest_first_plan(const PlannerProblem& problem, const Effort& effort);

// The same with the limits of the problem in the place of even counts: a position takes up to `slots` experts of a
// layer, and as many over all layers as its memory holds. So a position may have fewer, hotter experts. An expert only
// goes where the rest can still be placed. Throws InputError where memory or slots do not suffice for all experts.
PlannerResult memory_limited_plan(const PlannerProblem& problem, const Effort& effort);

// Longest-first, then swaps of two experts of the heaviest position and another one, each the one that lowers the
// larger of the two loads most, until none does.
PlannerResult balanced_swaps_plan(const PlannerProblem& problem, const Effort& effort);

}  // namespace moesim
