#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

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
// Throws InputError where an option was given that none of the methods looks at, or a method has an unknown name.
void check_options_are_used(const CLI::App& command, const std::vector<std::string>& methods);

}  // namespace moesim
