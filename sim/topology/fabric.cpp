#include "topology/fabric.hpp"

#include "topology/tree.hpp"

namespace moesim {

Fabric::Fabric(std::vector<Link> links, std::vector<NodeId> node_of_rank, std::shared_ptr<const Router> router)
    : links_(std::move(links)), node_of_(std::move(node_of_rank)), router_(std::move(router)) {
    for (const NodeId node : node_of_) nodes_ = std::max(nodes_, node.value() + 1);
}

Seconds Fabric::latency(const Route& route) const {
    Seconds sum;
    for (const LinkId id : route.links()) sum += link(id).latency;
    return sum;
}

Fabric build_fabric(const TopologySpec& spec) { return build_tree(spec); }

}  // namespace moesim
