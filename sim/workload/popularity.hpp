#pragma once
// How often each expert of each layer is wanted.
#include <cstdint>
#include <variant>
#include <vector>

#include "base/matrix.hpp"
#include "config/scenario.hpp"

namespace moesim {

// [layer][expert], each row summing to 1 (up to rounding). Zipf orders are drawn anew for each layer.
Matrix<double> layer_popularities(const std::variant<ZipfSpec, WeightsSpec>& spec, const ModelSpec& model,
                                  std::uint64_t seed);

}  // namespace moesim
