#pragma once
// Which position each cluster of experts goes to, when the clusters of every layer are fixed.
#include <vector>

#include "planner/affinity.hpp"

namespace moesim {

// place: [layer][expert], any labels of the clusters; the positions that are returned keep what is together together.
// Positions that are all alike: exact, one assignment problem a pair of layers. Two levels of up to 8 positions or so:
// exact, by the dynamic program over the splits into nodes (partition_program.hpp), whose refusals are thrown.
// Positions of a node are consecutive.
Matrix<std::uint32_t> label_clusters(const std::vector<Matrix<double>>& flow, const Matrix<std::uint32_t>& place,
                                     std::size_t nodes, std::size_t positions_per_node, const CrossingCost& cost);

}  // namespace moesim
