#pragma once
// What crossing between layers no placement can avoid.
#include <cstddef>
#include <vector>

#include "base/matrix.hpp"
#include "planner/affinity.hpp"

namespace moesim {

// No placement of one copy of each expert, at most `most` experts of a layer on a position, has a smaller
// crossing_share. A bound on each pair of layers alone: of pairs of experts that are on one position, an expert is in
// `most` at most, on either side (ExFlow's program with the rows sum over j of y_ij = sum over i of y_ij = E/P, and
// without the positions). The relaxation is a transport problem, and any prices of its dual prove a bound, however near
// its optimum they are. On nodes the same holds with the experts of a node, and the two are added up. Blind to loads
// and to how groups of three layers and more fit together, so it is far from what can be reached.
double crossing_bound(const std::vector<Matrix<double>>& flow, std::size_t most, std::size_t positions_per_node,
                      const CrossingCost& cost);

// Most of `flow` that y can pick: 0 <= y <= 1, rows and columns of y sum up to `most` or less. Not less than the
// optimum, and near it.
double transport_bound(const Matrix<double>& flow, std::size_t most);

}  // namespace moesim
