#include "topology/fabric_builder.hpp"

namespace moesim {

VertexId FabricBuilder::add_vertex(std::string name) {
    parts.vertices.push_back({std::move(name), false, {}});
    return VertexId(parts.vertices.size() - 1);
}

VertexId FabricBuilder::add_vertex(std::string name, NodeId node) {
    parts.vertices.push_back({std::move(name), true, node});
    return VertexId(parts.vertices.size() - 1);
}

LinkId FabricBuilder::add_link(std::string name, LinkClass link_class, const LinkSpec& spec, VertexId from,
                               VertexId to) {
    parts.links.push_back({std::move(name), link_class, spec.bandwidth, spec.latency, from, to});
    return LinkId(parts.links.size() - 1);
}

LinkId FabricBuilder::add_pair(const std::string& name, LinkClass link_class, const LinkSpec& spec, VertexId low,
                               VertexId high) {
    const LinkId first = add_link(name + ".up", link_class, spec, low, high);
    add_link(name + ".down", link_class, spec, high, low);
    return first;
}

}  // namespace moesim
