#pragma once
// ExFlow (Yao et al., arXiv:2401.08383), solved by CBC.
#include "planner/crossing_program.hpp"
#include "planner/program_effort.hpp"

namespace moesim {

struct ExflowOptions {
    CrossingForm form = CrossingForm::counts;
    bool strengthened = true;  // see crossing_program
    // As published: to nodes first, then each node's experts to its positions. Without, to positions at once.
    bool staged = true;
    std::optional<Matrix<std::uint32_t>> start;  // [layer][expert]: a placement to begin with; none: a greedy one
    ProgramFiles files;
};

// The share of first choices of adjacent layers that cross positions, experts / positions being on each. With stages
// on several nodes the bound is that of crossing nodes, which no placement crosses positions less than, and is far off
// where positions of a node cannot be avoided either. CrossingForm::tokens needs the workload's trace; both throw
// InfeasibleProgram where slots or memory do not suffice.
PlannerResult exflow_plan(const PlannerProblem& problem, const ExflowOptions& options, const Effort& effort);

}  // namespace moesim
