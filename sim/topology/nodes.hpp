#pragma once
// The insides of a cluster's nodes: NVSwitch, or PCIe switches and sockets, and each GPU's way to its NIC.
#include <functional>
#include <vector>

#include "topology/fabric_builder.hpp"

namespace moesim {

// Link ids follow from the layout alone: what is GPUs' own first (to and from the node's switch, to and from the
// network), then what is a node's own. Nodes are equal in their layout; links differ in their specs where the
// topology says so.
class Nodes {
  public:
    // Adds the GPUs of all nodes, their switches and their links. `attach` gives the vertex of the network that a
    // GPU's NIC is linked to; empty: there is no network. It is called once for each GPU, in order, after all vertices
    // of nodes are there; those of the network may follow them later, in a known order.
    Nodes(const TopologySpec& topology, FabricBuilder& builder, const std::function<VertexId(RankId)>& attach);

    [[nodiscard]] std::size_t node_of(RankId rank) const { return rank.value() / gpus_per_node_; }
    [[nodiscard]] std::size_t index(RankId rank) const { return rank.value() % gpus_per_node_; }
    // Between two GPUs of one node.
    void inside(Route& route, RankId from, RankId to) const;
    // From a GPU to the vertex of the network that its NIC is linked to, and back.
    void leave(Route& route, RankId from) const;
    void enter(Route& route, RankId to) const;

  private:
    [[nodiscard]] LinkId of_gpu(RankId rank, std::size_t which) const {
        return LinkId(rank.value() * links_per_gpu_ + which);
    }
    // By its index in the node.
    [[nodiscard]] std::size_t switch_of(RankId rank) const { return index(rank) * switches_ / gpus_per_node_; }
    void add_vertices(std::size_t node, FabricBuilder& builder) const;
    void add_pcie(const TopologySpec& topology, std::size_t node, std::size_t first_vertex,
                  FabricBuilder& builder) const;

    std::size_t gpus_per_node_;
    bool local_;    // a GPU has links to its node's switch
    bool pcie_;     // which is a PCIe switch, and what goes to its NIC takes them as well
    bool network_;  // a GPU has links to a network
    std::size_t links_per_gpu_;
    std::size_t sockets_ = 1, switches_ = 1;  // of a node
    std::size_t node_vertices_ = 0;           // the first vertex of node 0's own
    std::size_t node_links_ = 0, links_per_node_ = 0;
    std::vector<std::int32_t> bridge_;  // [from][to]: which of the node's own links joins the two directly; -1: none
};

}  // namespace moesim
