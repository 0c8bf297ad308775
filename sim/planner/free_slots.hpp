#pragma once
// Slots that a search leaves free.
#include "planner/layer_time.hpp"
#include "planner/problem.hpp"

namespace moesim {

// Fills every position up to problem.slots copies of each layer, since engines hold as many on every GPU: a slot after
// the other gets, of the experts with the most choices a copy that are not there yet, the one with which the layer
// takes the least time; or, where none makes it take less than before, a second copy of an expert that lives there
// alone, which changes nothing. Where there is none such either, that may be more time than before. What has no free
// slot, or memory for fewer, stays as it is.
Placement with_full_slots(const PlannerProblem& problem, const LayerTimeModel& model, const Placement& placement);
// The same with second copies alone: some slots may stay free, and a run takes the same time.
Placement with_doubled_experts(const PlannerProblem& problem, const Placement& placement);

}  // namespace moesim
