#pragma once
// The members that one expert group has on one node, and the places that they take among each other.
#include <vector>

#include "topology/fabric.hpp"
#include "traffic/grid.hpp"

namespace moesim {

class NodeMembers {
  public:
    NodeMembers(const RankGrid& grid, const Fabric& fabric);

    // The member on the node of `from`, of the same group and tensor index, that has the place which `to` has on its
    // own node. Where that node has fewer members, places go around. `to` itself where both are on one node.
    [[nodiscard]] RankId like(RankId from, RankId to) const {
        const auto& team = teams_[team_of_[from.value()]];
        return team[place_[to.value()] % team.size()];
    }

  private:
    std::vector<std::vector<RankId>> teams_;  // [team]: members in rising order
    std::vector<std::size_t> team_of_;        // [rank]
    std::vector<std::size_t> place_;          // [rank]: in its team
};

}  // namespace moesim
