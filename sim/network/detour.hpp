#pragma once
#include <optional>
#include <vector>

#include "topology/fabric.hpp"

namespace moesim {

// Ways around failed links. The fabric outlives it.
class Detours {
  public:
    explicit Detours(const Fabric& fabric);

    // The way from one GPU to another with the fewest links that avoids failed ones; other GPUs may pass things on, as
    // NCCL's PXN does inside a node. `left`: what each link has of its capacity, 0 for one to avoid.  [link]
    // Of equally short ways one whose most impaired link has the most left; of those one by a fixed hash of the pair,
    // so that all the detours around one link do not end up on another one. Nothing where there is no way of at most
    // max_route_links.
    [[nodiscard]] std::optional<Route> find(RankId from, RankId to, const std::vector<double>& left) const;

  private:
    const Fabric& fabric_;
    // Links by the vertex that they leave, ids ascending: those of vertex v begin at first_[v].
    std::vector<std::size_t> first_, leaving_;
};

}  // namespace moesim
