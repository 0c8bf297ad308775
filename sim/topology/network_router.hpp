#pragma once
#include "topology/nodes.hpp"

namespace moesim {

// Routes of clusters whose nodes are alike: inside a node by its own links, else over the GPUs' NICs and what `cross`
// adds between the switches that they are linked to.
class NetworkRouter : public Router {
  public:
    explicit NetworkRouter(Nodes nodes) : nodes_(std::move(nodes)) {}
    [[nodiscard]] Route route(RankId from, RankId to) const final {
        Route r;
        if (nodes_.node_of(from) == nodes_.node_of(to)) {
            nodes_.inside(r, from, to);
            return r;
        }
        const RankId exit = exit_of(from, to);
        if (exit != from) nodes_.inside(r, from, exit);
        nodes_.leave(r, exit);
        cross(r, exit, to);
        nodes_.enter(r, to);
        return r;
    }

  protected:
    // The GPU of the sender's node whose NIC is used.
    [[nodiscard]] virtual RankId exit_of(RankId from, RankId /*to*/) const { return from; }
    virtual void cross(Route& route, RankId from, RankId to) const = 0;
    [[nodiscard]] const Nodes& nodes() const { return nodes_; }

  private:
    Nodes nodes_;
};

}  // namespace moesim
