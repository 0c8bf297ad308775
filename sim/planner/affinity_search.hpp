#pragma once
// Placements of little crossing between adjacent layers under a limit on load imbalance, for any size.
#include "planner/affinity.hpp"
#include "planner/problem.hpp"

namespace moesim {

struct AffinityOptions {
    CrossingCost cost;
    double load_limit = 1.1;  // load_imbalance at most, unless longest-first with swaps has more already
    // What a token counts from its first choice in a layer to its second one in the next, and from second to first,
    // when placements are searched (their value is of first choices alone). Which of two near equals comes first is
    // chance: with this, placements are better on tokens that were not learned from.
    double second_choices = 0.1;
    // Few experts: the exact program is tried as well (partition_program.hpp), which also proves a bound.
    bool exact = true;
    bool prove = true;  // a bound, which with many experts takes longer than a short search
};

// Simulated annealing from an even start, in rounds that grow longer, the best of which is returned; then labels of
// clusters by assignment, where positions are alike. Iterations are proposals; without any limit, 20,000 for each
// expert of each layer. Places ceil(experts / positions) experts a position at most. Progress comes after each round.
PlannerResult affinity_plan(const PlannerProblem& problem, const AffinityOptions& options, const Effort& effort,
                            const SearchProgress& progress = {});

}  // namespace moesim
