#pragma once
// Clusters of experts that tokens choose together, with copies of the hot ones, after GRACE-MoE ("Grouping and
// Replication with Locality-Aware Routing for Efficient Distributed MoE Inference", arXiv:2509.25041).
#include "planner/problem.hpp"

namespace moesim {

struct CoactivationOptions {
    double node_imbalance = 1.5;  // of the nodes' counts of experts, where slots allow it
    std::size_t delta = 1;        // a position holds its node's experts / positions, rounded, give or take this
};

// In each layer, the graph whose edges count the tokens that chose both experts is partitioned by METIS: to nodes, of
// about any size, then each node's experts to its positions, of nearly equal size. Slots that are left are given to
// copies: of the heaviest position's hottest expert, to the lightest position without it that has room, in a node
// without it if there is one, as long as the larger of the two positions' loads falls by that. Copies share an expert's
// load alike. The value is the share of pairs of choices of a layer that no position holds both of. Throws InputError
// where slots or memory do not hold one copy each.
PlannerResult coactivation_plan(const PlannerProblem& problem, const CoactivationOptions& options,
                                const Effort& effort);

}  // namespace moesim
