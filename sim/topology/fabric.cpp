#include "topology/fabric.hpp"

#include "topology/dragonfly.hpp"
#include "topology/link_list.hpp"
#include "topology/rails.hpp"
#include "topology/torus.hpp"
#include "topology/tree.hpp"

namespace moesim {

Fabric::Fabric(FabricParts parts, std::shared_ptr<const Router> router)
    : parts_(std::move(parts)), router_(std::move(router)) {
    for (const NodeId node : parts_.node_of) nodes_ = std::max(nodes_, node.value() + 1);
}

Seconds Fabric::latency(const Route& route) const {
    Seconds sum;
    for (const LinkId id : route.links()) sum += link(id).latency;
    return sum;
}

Fabric build_fabric(const TopologySpec& spec) {
    switch (spec.kind) {
        case TopologyKind::nvswitch_node:
        case TopologyKind::pcie_node:
        case TopologyKind::fat_tree:
        case TopologyKind::clos: return build_tree(spec);
        case TopologyKind::rail_optimised: return build_rails(spec);
        case TopologyKind::dragonfly: return build_dragonfly(spec);
        case TopologyKind::torus: return build_torus(spec);
        case TopologyKind::links: break;
    }
    return build_link_list(spec);
}

}  // namespace moesim
