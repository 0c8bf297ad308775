#pragma once
// The topology-graph integer program, solved by CBC: experts to positions, so that what goes on from one layer to the
// next has a short way.
#include <optional>

#include "planner/program_effort.hpp"

namespace moesim {

struct TopologyProgramOptions {
    Matrix<double> distance;         // [from][to]; empty: the positions' seconds a byte
    std::optional<double> load_cap;  // no position's load of a layer above this times the mean
    // Rows that whole solutions keep anyhow, see topology_plan.
    bool strengthened = true;
    std::optional<Matrix<std::uint32_t>> start;  // [layer][expert]; none: longest first
    ProgramFiles files;
};

// min of the sum over adjacent layers of R[e1,e2] dist(g(e1), g(e2)), experts / positions on each; R is the count of
// tokens that have e1 among their choices and e2 among the next layer's, so experts weigh by their load. The value is
// that over the sum of R: what a transition costs on average.
//
// The distance of two experts is linearised by z[g1][g2] = x[e1][g1] x[e2][g2], whose sums over g2 and g1 are the x
// (Adams and Sherali, Management Science 32, 1986). Strengthened: multiplying "position g2 has s experts of the layer"
// by x[e1][g1] gives sum over e2 of z[e1][e2][g1][g2] = s x[e1][g1].
//
// Throws InfeasibleProgram where slots, memory or the cap cannot be kept.
PlannerResult topology_plan(const PlannerProblem& problem, const TopologyProgramOptions& options, const Effort& effort);

// What it counts, of any placement of one copy each.
double transition_cost(const WorkloadCounts& workload, const Matrix<std::uint32_t>& place,
                       const Matrix<double>& distance);

}  // namespace moesim
