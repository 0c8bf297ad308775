#pragma once
#include <functional>
#include <string_view>

#include "engine/plan.hpp"
#include "engine/result.hpp"

namespace moesim {

// What is being done, and what share of it is done, 0..1.
using Progress = std::function<void(std::string_view phase, double share)>;

// Simulates a plan. Runs once a process (see SimulatedCluster). Throws InputError where a GPU's memory is exceeded.
Result simulate(Plan plan, const Progress& progress = {});

}  // namespace moesim
