#include "traffic/copy_chooser.hpp"

#include <map>
#include <optional>

namespace moesim {

template <class Wanted>
CopyChooser::List CopyChooser::list_of(std::size_t expert, Wanted wanted) {
    List list;
    list.begin = static_cast<std::uint32_t>(lists_.size());
    for (CopyIndex copy = copies_.first(expert); copy < copies_.first(expert + 1); ++copy)
        if (wanted(copy)) lists_.insert(lists_.end(), copies_.weight(copy), copy);
    list.size = static_cast<std::uint32_t>(lists_.size()) - list.begin;
    return list;
}

CopyChooser::Turn CopyChooser::turn_in(List& list) { return {list.begin, list.size, list.users++ % list.size}; }

CopyChooser::CopyChooser(const Placement& placement, LayerId layer, ReplicaPolicy policy, const RankGrid& grid,
                         const Fabric& fabric)
    : copies_(placement, layer), column_(copies_.experts(), single) {
    if (!copies_.replicated()) return;
    std::vector<std::size_t> replicated;
    for (std::size_t e = 0; e < copies_.experts(); ++e)
        if (copies_.first(e + 1) - copies_.first(e) > 1) {
            column_[e] = static_cast<std::uint32_t>(replicated.size());
            replicated.push_back(e);
        }
    turns_ = Matrix<Turn>(grid.data(), replicated.size());
    for (std::size_t column = 0; column < replicated.size(); ++column)
        take_turns(column, replicated[column], policy, grid, fabric);
}

void CopyChooser::take_turns(std::size_t column, std::size_t expert, ReplicaPolicy policy, const RankGrid& grid,
                             const Fabric& fabric) {
    const List everywhere = list_of(expert, [](CopyIndex) { return true; });
    std::vector<std::optional<std::uint32_t>> own(grid.expert());  // [position]: where the list has its copy
    for (std::uint32_t i = everywhere.begin; i < everywhere.begin + everywhere.size; ++i)
        own[copies_.position(lists_[i])] = i;
    for (std::size_t group = 0; group < grid.data(); group += grid.expert()) {
        const auto node_of = [&](std::size_t position) {
            return fabric.node_of(grid.rank(group + position, 0)).value();
        };
        List all = everywhere;  // turns start anew in each group
        std::map<std::size_t, List> nodes;
        for (std::size_t position = 0; position < grid.expert(); ++position) {
            Turn& turn = turns_(group + position, column);
            if (policy == ReplicaPolicy::round_robin) {
                turn = turn_in(all);
                continue;
            }
            if (own[position]) {
                turn = {*own[position], 1, 0};
                continue;
            }
            const std::size_t node = node_of(position);
            const auto [here, unseen] = nodes.try_emplace(node);
            if (unseen)
                here->second = list_of(expert, [&](CopyIndex c) { return node_of(copies_.position(c)) == node; });
            turn = turn_in(here->second.size > 0 ? here->second : all);
        }
    }
}

}  // namespace moesim
