#pragma once
// DeepSeek's expert-parallelism load balancer (github.com/deepseek-ai/EPLB): copies of hot experts, packed evenly.
// Hierarchical: groups of experts are packed on nodes, copies are made inside of a node, then packed on its GPUs.
// Global: the same with one group and one node.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/matrix.hpp"
#include "planner/problem.hpp"

namespace moesim {

struct EplbShape {
    std::size_t replicas = 0;  // physical experts in all, a multiple of gpus
    std::size_t groups = 1;    // of consecutive experts; hierarchical where they are a multiple of nodes
    std::size_t nodes = 1;
    std::size_t gpus = 1;  // in all; those of a node are consecutive
};

// In EPLB's terms. A GPU holds replicas / gpus consecutive physical experts.
struct EplbMaps {
    Matrix<std::int32_t> phy2log;               // [layer][physical]: its expert
    std::vector<Matrix<std::int32_t>> log2phy;  // [layer][expert][copy]: physical; -1 beyond logcnt
    Matrix<std::int32_t> logcnt;                // [layer][expert]: copies
};

// What eplb.rebalance_experts gives, where it states no order among equals: a stable descending sort, the first
// minimum, the first maximum. It computes in 32-bit floats, and so does this. (The load of a group is summed from left
// to right; PyTorch states no order, which only matters where the sum is not exact.)
// load: [layer][expert]. Throws InputError where the counts do not divide or a load is negative or not finite.
EplbMaps eplb(const Matrix<double>& load, const EplbShape& given);

// The placement of these maps; EPLB's GPU g is position gpu_position[g].
Placement placement_of(const EplbMaps& maps, const std::vector<std::uint32_t>& gpu_position);

struct EplbPlan {
    EplbMaps maps;
    PlannerResult result;
};

// For a problem: slots x positions physical experts; the GPUs are the positions, node after node. The objective is
// load_imbalance. Throws InputError as eplb does, and where nodes differ in size, unless that is global.
EplbPlan eplb_plan(const PlannerProblem& problem, std::size_t groups);

}  // namespace moesim
