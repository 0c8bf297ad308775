#pragma once
#include <CLI/CLI.hpp>

#include "planner/methods.hpp"
#include "study/planning.hpp"

namespace moesim {

// What `place` and `compare` share.
struct PlanningArguments {
    PlanningOptions planning;
    MethodOptions method;
    Effort effort;
};
void add_planning_options(CLI::App& command, PlanningArguments& arguments);

}  // namespace moesim
