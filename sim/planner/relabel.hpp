#pragma once
// The same placement under other names of its positions, so that little has to be moved from the one before.
#include <cstdint>
#include <span>
#include <vector>

#include "placement/placement.hpp"
#include "planner/problem.hpp"

namespace moesim {

// Which positions may change places so that nothing but their names differs, as single messages see the cluster: two
// positions of a node where they compute alike and reach, and are reached by, all others at the same rates; two nodes
// where that holds for all their positions together, each with that of the same place in the other. What messages do to
// each other on shared links is not looked at.
class AlikePositions {
  public:
    // speed: [position], relative
    AlikePositions(Positions positions, std::span<const double> speed);

    [[nodiscard]] const Positions& positions() const { return positions_; }
    // Of the permutations that take nodes to nodes and positions to positions that are alike, one of least sum over the
    // positions of cost(position, where it goes). cost: [position][position], finite, not negative. Exact: an
    // assignment of positions for each pair of nodes, and one of nodes.  [position]: where it goes
    [[nodiscard]] std::vector<std::uint32_t> cheapest(const Matrix<double>& cost) const;

  private:
    Positions positions_;
    std::vector<std::vector<std::uint32_t>> members_;  // [node]: its positions
    std::vector<std::uint32_t> kind_;                  // [position]: the first of its node that is like it
    Matrix<unsigned char> nodes_alike_;                // [node][node]
};

// `plan`, relabelled so that what its positions lack of what they held takes the least time to send, each expert by
// itself from where it gets there soonest. With `layers_apart` each layer has a permutation of its own, which changes
// nothing where tokens return after each layer. Without, and where some position would so get more experts of all
// layers together than any has in `plan` or `held`, all layers have the same one.
Placement relabelled(const Placement& plan, const Placement& held, const AlikePositions& alike, bool layers_apart);

}  // namespace moesim
