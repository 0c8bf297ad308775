#pragma once
// What integer programs over load begin with.
#include <cstddef>
#include <cstdint>

#include "base/matrix.hpp"

namespace moesim {

// In each layer the experts by falling load, each to the lightest group that has room, groups holding experts / groups,
// rounded down or up (Graham 1969, with counts). load, result: [layer][expert].
Matrix<std::uint32_t> longest_first(const Matrix<double>& load, std::size_t groups);

}  // namespace moesim
