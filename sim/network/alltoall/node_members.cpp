#include "network/alltoall/node_members.hpp"

#include <map>
#include <tuple>

namespace moesim {

NodeMembers::NodeMembers(const RankGrid& grid, const Fabric& fabric) : team_of_(grid.ranks()), place_(grid.ranks()) {
    std::map<std::tuple<std::size_t, std::size_t, NodeId>, std::size_t> known;
    for (std::size_t r = 0; r < grid.ranks(); ++r) {
        const RankId rank(r);
        const auto key = std::tuple(grid.group_begin(grid.data_of(rank)), grid.tensor_of(rank), fabric.node_of(rank));
        const auto [at, fresh] = known.emplace(key, teams_.size());
        if (fresh) teams_.emplace_back();
        auto& team = teams_[at->second];
        team_of_[r] = at->second;
        place_[r] = team.size();
        team.push_back(rank);
    }
}

}  // namespace moesim
