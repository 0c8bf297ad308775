#pragma once
// Least crossing cost between adjacent layers, exactly, for few experts: a dynamic program over the layers.
//
// On positions that are all alike the cost between two layers does not change when the positions of every layer from
// some layer on are relabelled together. So the state of a layer is how its experts are grouped, not where the groups
// are: an unlabelled balanced partition (8 experts on 4 positions: 105), and the labels between two layers are one
// assignment problem. On two levels of positions the same holds for nodes and for the positions inside of each: the
// state is a partition into nodes, each partitioned into positions.
#include <cstddef>
#include <optional>
#include <vector>

#include "planner/affinity.hpp"

namespace moesim {

struct PartitionSize {
    std::size_t experts = 0;
    std::size_t nodes = 1;
    std::size_t positions = 0;  // of a node
    // Steps of the program for one pair of layers, about 10 ns each; infinite where experts do not divide.
    [[nodiscard]] double work(bool flat) const;
};

// Groups of a layer may be limited in their load.
struct GroupLimit {
    Matrix<double> load;  // [layer][expert]
    double factor = 1;    // heaviest group of a layer / mean
};

// [layer][expert]: positions, those of a node consecutive, experts / positions on each. Throws InputError where the
// size does not divide, takes more than 1e8 steps a pair of layers, or a layer has no partition within the limit.
Matrix<std::uint32_t> least_crossing(const std::vector<Matrix<double>>& flow, const PartitionSize& size,
                                     const CrossingCost& cost, const std::optional<GroupLimit>& limit);

}  // namespace moesim
