#pragma once
// Expert placement by partitioning the layered affinity graph with METIS.
#include "planner/problem.hpp"

namespace moesim {

struct GraphOptions {
    // Weight of an edge between two experts of one layer, for each token that chose both, beside 1 for each token that
    // goes from the one to the other in adjacent layers. With it, a token's choices of one layer come together as well.
    double together = 0;
    double imbalance = 1.05;  // what METIS may leave for the repair
    int tries = 4;            // partitions by different seeds, of which the best is kept
};

// Vertices are (layer, expert), edges join what tokens choose together: pairs of choices of adjacent layers, and of one
// layer. Parts are nodes first, then the positions of each, every layer being a constraint of its own, or METIS would
// give whole layers to a part. Layers that it leaves uneven are repaired: experts move from parts that have too many to
// such that have too few, each time the one that adds least cut weight; then pairs are swapped while that helps.
// experts / positions on each; the value is the share of edge weight between positions. Throws InputError where slots
// or memory do not suffice for that.
PlannerResult graph_plan(const PlannerProblem& problem, const GraphOptions& options, const Effort& effort);

}  // namespace moesim
