#include "config/topology_spec.hpp"

#include <algorithm>

namespace moesim {

std::int64_t TopologySpec::leaves() const {
    const std::int64_t groups = (nodes + nodes_per_leaf - 1) / nodes_per_leaf;
    if (kind == TopologyKind::rail_optimised) return groups * gpus_per_node;
    return kind == TopologyKind::fat_tree || kind == TopologyKind::clos ? groups : 0;
}

bool TopologySpec::has_pcie() const {
    return pcie || std::any_of(list.links.begin(), list.links.end(),
                               [](const ListedLink& l) { return l.link_class == LinkClass::pcie; });
}

}  // namespace moesim
