#pragma once
// A cluster as links and routes: what the network models share out.
#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/units.hpp"
#include "config/topology_spec.hpp"

namespace moesim {

using VertexId = Id<struct VertexTag>;

// Where links meet: GPU r is vertex r, switches of nodes and of the network come after all GPUs.
struct Vertex {
    std::string name;  // "gpu3", "node0.nvswitch", "leaf1"
    bool in_node = false;
    NodeId node;  // where in_node
};

// One direction of a physical link (all are full duplex: the two directions share nothing).
struct Link {
    std::string name;  // "gpu3.nvlink.up", "leaf0.uplink.down"
    LinkClass link_class = LinkClass::nvlink;
    BytesPerSecond capacity;
    Seconds latency;
    VertexId from, to;
};

// What a library's call adds to a route: copies and ports at both ends, and a bridge (network/call_links.hpp).
inline constexpr std::size_t max_call_links = 5;

// The links from one GPU to another, in order. Small and held by value: routes are asked for by the million.
class Route {
  public:
    void push(LinkId link) { links_[size_++] = link; }
    [[nodiscard]] std::span<const LinkId> links() const { return {links_.data(), size_}; }

  private:
    std::array<LinkId, max_route_links + max_call_links> links_;
    std::size_t size_ = 0;
};

// How routes are found; a topology family brings its own.
class Router {
  public:
    virtual ~Router() = default;
    Router() = default;
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;
    [[nodiscard]] virtual Route route(RankId from, RankId to) const = 0;
};

// What a fabric is made of.
struct FabricParts {
    std::vector<Vertex> vertices;
    std::vector<Link> links;
    std::vector<NodeId> node_of;  // [rank]
    std::vector<double> speed;    // [rank]
};

class Fabric {
  public:
    Fabric(FabricParts parts, std::shared_ptr<const Router> router);

    [[nodiscard]] std::size_t ranks() const { return parts_.node_of.size(); }
    [[nodiscard]] std::size_t nodes() const { return nodes_; }
    [[nodiscard]] const std::vector<Vertex>& vertices() const { return parts_.vertices; }
    [[nodiscard]] const std::vector<Link>& links() const { return parts_.links; }
    [[nodiscard]] const Link& link(LinkId id) const { return parts_.links[id.value()]; }
    [[nodiscard]] NodeId node_of(RankId rank) const { return parts_.node_of[rank.value()]; }
    // How fast the GPU computes, relative to its profile, (0, 1].
    [[nodiscard]] double speed(RankId rank) const { return parts_.speed[rank.value()]; }
    // Links between two different ranks.
    [[nodiscard]] Route route(RankId from, RankId to) const { return router_->route(from, to); }
    // The sum of the latencies of a route's links.
    [[nodiscard]] Seconds latency(const Route& route) const;
    // True where the route leaves the node.
    [[nodiscard]] bool crosses_nodes(RankId from, RankId to) const { return node_of(from) != node_of(to); }

  private:
    FabricParts parts_;
    std::size_t nodes_ = 0;
    std::shared_ptr<const Router> router_;  // shared: a fabric is a value, and its copies route alike
};

// The fabric of a topology. GPU i of node n is rank n * gpus_per_node + i, and in a list of links GPU i is rank i.
Fabric build_fabric(const TopologySpec& spec);

}  // namespace moesim
