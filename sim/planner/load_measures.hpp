#pragma once
// How evenly a placement spreads the load, and how evenly any could.
#include <cstddef>
#include <vector>

#include "base/matrix.hpp"
#include "placement/placement.hpp"

namespace moesim {

// Mean over layers of (heaviest position / mean position); layers without load count as even. Copies of an expert
// share its load alike. load: [layer][expert].
inline constexpr const char* imbalance_objective = "max/mean load of a position, mean over layers";
double load_imbalance(const Matrix<double>& load, const Placement& placement);

// [position] of one layer.
std::vector<double> position_loads(const Matrix<double>& load, const Placement& placement, std::size_t layer);

// No placement of one copy of each expert, at most `most` experts a position and layer, has a smaller load_imbalance.
// Of a layer: the mean; the heaviest expert; and, as there are few places, that expert with as many of the lightest as
// its position must take when all others are full.
double imbalance_bound(const Matrix<double>& load, std::size_t positions, std::size_t most);

}  // namespace moesim
