#pragma once
// Ours: a search on the real objective, the time of dispatch + expert + return on the given fabric.
#include <vector>

#include "planner/layer_time.hpp"
#include "planner/problem.hpp"

namespace moesim {

inline constexpr std::size_t layer_time_tokens = 65'536;  // that a placement's value is of, if there are so many

// Of each layer, where neither seconds nor iterations limit the search.
inline constexpr std::int64_t proposals_an_expert = 200;

// Minimises the mean of LayerTimeModel::time over the layers. Every layer starts from the fastest that one of `starts`
// has for it (all from the best start, where that mixture would not fit into memory), so that the result is never
// slower than any start. Layers do not touch each other and are searched on all cores, three times: downhill, then by
// simulated annealing (as in annealing.hpp; downhill again where the effort is small for the number of experts), both
// on 8192 of the tokens, then downhill on 65,536; always on a softened objective that turns into the true one. Now and
// then some experts of two positions are dealt out anew, all ways to do so tried. The value is that of 65,536 tokens.
// Proposals: two experts change places; an expert moves to a position with a free slot; a copy more, a copy less, a
// copy less for one more. No position gets more than problem.slots copies of a layer (or what a start has there), nor
// more of all layers than its memory holds (what is left of it is shared out among the layers). The bound is the mean
// of LayerTimeModel::bound. Iterations are proposals; without any limit, 200 for each expert of each layer. With
// `seconds` they are as many as the time lets. Progress comes after each layer of a round. Throws InputError without
// starts, where they are of another shape than the problem, or where the workload has no tokens.
PlannerResult layer_time_plan(const PlannerProblem& problem, const Scenario& scenario, const Fabric& fabric,
                              std::vector<Placement> starts, const Effort& effort, const SearchProgress& progress = {});

}  // namespace moesim
