#pragma once
#include <functional>
#include <string_view>

#include "engine/plan.hpp"
#include "engine/result.hpp"

namespace moesim {

// What is being done, and what share of it is done, 0..1.
using Progress = std::function<void(std::string_view phase, double share)>;

// The tasks of a plan and what was counted on the way, before anything has run: without times. Throws InputError where
// a GPU's memory is exceeded.
Result plan_tasks(Plan plan, const Progress& progress = {});

// Simulates a plan. Runs once a process (see SimulatedCluster). Throws InputError where a GPU's memory is exceeded.
Result simulate(Plan plan, const Progress& progress = {});

}  // namespace moesim
