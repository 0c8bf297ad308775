#pragma once
// NVSwitch nodes, alone or under a two-level fat tree of leaf switches and a spine.
#include "topology/fabric.hpp"

namespace moesim {

// Links of GPU g: to and from its node's switch, and in a fat tree to and from its leaf switch.
// A leaf's uplinks are one link each way that carries what all of them together carry: ideal spreading over the spine.
Fabric build_tree(const TopologySpec& spec);

}  // namespace moesim
