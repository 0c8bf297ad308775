#pragma once
// Small problems for planners that look at the time of layers.
#include "config/scenario.hpp"
#include "planner/problem.hpp"
#include "topology/fabric.hpp"

namespace moesim::test {

// A random scenario with a fabric and a trace of its own: a few hundred tokens of skewed choices, some places empty.
struct LayerTimeCase {
    Scenario scenario;
    Fabric fabric;
    PlannerProblem problem;
};
LayerTimeCase layer_time_case(std::uint64_t number);

// A problem on the tokens of a scenario, each with the experts that are listed for it: [token][layer][top_k].
PlannerProblem problem_of(const Scenario& scenario, const Fabric& fabric, std::vector<ExpertIndex> choices,
                          std::size_t slots);

// Each expert of each layer anywhere where a slot is free, and with `copies` more copies where there are more slots.
Placement slotted_placement(const PlannerProblem& problem, std::uint64_t number, bool copies);

}  // namespace moesim::test
