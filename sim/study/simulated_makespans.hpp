#pragma once
// What a planner asks the simulator: how long a scenario takes under each of some placements.
#include <string>
#include <vector>

#include "config/scenario.hpp"
#include "placement/placement.hpp"
#include "study/planning.hpp"

namespace moesim {

// The mean over some batches that are learned from, so that nothing is known of what is judged: over eight, or, where
// there is a clock, as many of them as it lets, but one. Runs in processes of `program` and writes their files into
// `folder`/learned when it is called. Throws as learned_batches() and makespans_apart() do.
SimulatePlacements simulated_makespans(const Scenario& scenario, const std::string& origin,
                                       const PlanningOptions& options, const std::string& program,
                                       const std::string& folder);

}  // namespace moesim
