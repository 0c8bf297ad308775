#pragma once
// Vertices and links of a fabric, added one after the other.
#include <string>

#include "topology/fabric.hpp"

namespace moesim {

class FabricBuilder {
  public:
    FabricParts parts;

    VertexId add_vertex(std::string name);
    VertexId add_vertex(std::string name, NodeId node);
    LinkId add_link(std::string name, LinkClass link_class, const LinkSpec& spec, VertexId from, VertexId to);
    // Both directions: NAME.up from `low` to `high`, and NAME.down, whose id is one more. Gives back the first.
    LinkId add_pair(const std::string& name, LinkClass link_class, const LinkSpec& spec, VertexId low, VertexId high);
    [[nodiscard]] std::size_t links() const { return parts.links.size(); }
};

}  // namespace moesim
