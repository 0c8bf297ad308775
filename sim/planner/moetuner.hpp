#pragma once
// MoETuner ("Optimized Mixture of Expert Serving with Balanced Expert Placement and Token Routing", arXiv:2502.06643),
// solved by CBC: two programs, one after the other.
#include "planner/program_effort.hpp"

namespace moesim {

struct MoetunerOptions {
    std::size_t clusters_per_position = 1;
    // Clusters of a layer as large as each other. Without, as published (equations 7 and 13): at least one expert in
    // each, at most `slots`, and on each position as many experts of all layers together, as nearly as a plain dealing
    // out reaches that; one cluster a position.
    bool even = true;
    double clustering_time = 0.5;  // part of the time limit that the first program may have
    ProgramFiles files;
};

// What the first program makes.
struct ExpertClusters {
    std::size_t count = 0;          // of a layer
    Matrix<std::uint32_t> cluster;  // [layer][expert]
    Matrix<std::uint32_t> size;     // [layer][cluster]: experts in it
    double deviation = 0;           // the sum over clusters and layers of |load - mean load of the layer's clusters|
    double deviation_bound = 0;     // proven: no clusters deviate by less
    double load = 0;                // of all experts and layers; deviation / load is what to look at, as the bound
                                    // most often is 0
    bool solved = true;             // proven: none deviate by less
};

// min sum |T[c,l] - mean_l|, every expert in exactly one cluster. Layers do not meet in it, so each is a program of its
// own.
ExpertClusters moetuner_clusters(const PlannerProblem& problem, const MoetunerOptions& options,
                                 const ProgramEffort& effort);

struct MoetunerResult {
    PlannerResult plan;
    double deviation_over_load = 0;  // of the clusters
    double labels_bound = 0;         // proven: these clusters cannot be put anywhere for less
};

// Clusters to positions: the sum over pairs of layers of the heaviest pair's C[c1,c2,l] / B[g1,g2], C being the pairs
// of choices of adjacent layers, so that the value is seconds if a token were one byte. Its bound holds for the
// clusters at hand, so it is no bound on all placements; none is given for those. Throws InputError where experts do
// not divide by clusters that are to be even, or there are uneven ones beyond one a position, and InfeasibleProgram
// where slots or memory do not suffice.
MoetunerResult moetuner_plan(const PlannerProblem& problem, const MoetunerOptions& options, const Effort& effort);

// Of the second program alone.
struct ClusterLabels {
    Matrix<std::uint32_t> position;  // [layer][cluster]
    double value = 0, bound = 0;
    bool solved = false;
};
ClusterLabels moetuner_labels(const PlannerProblem& problem, const ExpertClusters& clusters,
                              const MoetunerOptions& options, const ProgramEffort& effort);

// What the second program counts, of any placement of one copy each.
double heaviest_pairs(const PlannerProblem& problem, const Matrix<std::uint32_t>& place);

}  // namespace moesim
