#pragma once
// Nodes alone, or under a tree of switches.
#include "topology/fabric.hpp"

namespace moesim {

// One node; or leaf switches under a spine (fat tree); or leaf switches under pods' aggregation switches under a core
// (clos). Each GPU's NIC is linked to its node's leaf. Routes go no higher than they must. With EqualPaths::spread what
// leaves a leaf, or a pod, is one link each way that carries what all of its uplinks together carry; with hash the way
// up is equal_path() of the pair over spines, aggregation switches or cores, and the way down follows from it: core c
// is linked to aggregation switch c / (cores / aggregations) of each pod (Al-Fares et al., SIGCOMM 2008, section 3).
Fabric build_tree(const TopologySpec& topology);

}  // namespace moesim
