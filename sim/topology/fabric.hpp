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

enum class LinkClass : unsigned char { nvlink, nic, uplink };
inline constexpr std::size_t link_class_count = 3;

// One direction of a physical link (all are full duplex: the two directions share nothing).
struct Link {
    std::string name;  // "gpu3.nvlink.up", "leaf0.uplink.down"
    LinkClass link_class = LinkClass::nvlink;
    BytesPerSecond capacity;
    Seconds latency;
};

// The links from one GPU to another, in order. Small and held by value: routes are asked for by the million.
class Route {
  public:
    void push(LinkId link) { links_[size_++] = link; }
    [[nodiscard]] std::span<const LinkId> links() const { return {links_.data(), size_}; }

  private:
    std::array<LinkId, 8> links_;
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

class Fabric {
  public:
    Fabric(std::vector<Link> links, std::vector<NodeId> node_of_rank, std::shared_ptr<const Router> router);

    [[nodiscard]] std::size_t ranks() const { return node_of_.size(); }
    [[nodiscard]] std::size_t nodes() const { return nodes_; }
    [[nodiscard]] const std::vector<Link>& links() const { return links_; }
    [[nodiscard]] const Link& link(LinkId id) const { return links_[id.value()]; }
    [[nodiscard]] NodeId node_of(RankId rank) const { return node_of_[rank.value()]; }
    // Links between two different ranks.
    [[nodiscard]] Route route(RankId from, RankId to) const { return router_->route(from, to); }
    // The sum of the latencies of a route's links.
    [[nodiscard]] Seconds latency(const Route& route) const;
    // True where the route leaves the node.
    [[nodiscard]] bool crosses_nodes(RankId from, RankId to) const { return node_of(from) != node_of(to); }

  private:
    std::vector<Link> links_;
    std::vector<NodeId> node_of_;  // [rank]
    std::size_t nodes_ = 0;
    std::shared_ptr<const Router> router_;  // shared: a fabric is a value, and its copies route alike
};

// The fabric of a topology; GPU i of node n is rank n * gpus_per_node + i.
Fabric build_fabric(const TopologySpec& spec);

}  // namespace moesim
