#pragma once
// Rail-optimised fat trees.
#include "topology/fabric.hpp"

namespace moesim {

// GPUs of one index in their nodes are a rail; a leaf serves one rail of a group of `nodes_per_leaf` nodes, and a spine
// joins the leaves (NVIDIA DGX SuperPOD reference architecture). GPUs of different rails reach each other through the
// spine, or (CrossRail::nvlink) inside the sender's node to the GPU of the receiver's rail first; then one group needs
// no spine at all (Wang et al., "Rail-only: A Low-Cost High-Performance Network for Training LLMs with Trillion
// Parameters", 2023). Leaf r + g * gpus_per_node serves rail r of group g. Equal paths are as in build_tree.
Fabric build_rails(const TopologySpec& topology);

}  // namespace moesim
