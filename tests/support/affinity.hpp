#pragma once
// Small affinity problems, and their solution by trying everything.
#include <cstdint>
#include <functional>
#include <vector>

#include "base/matrix.hpp"

namespace moesim::test {

// Transitions between experts: many small counts, a few large ones. [layer - 1][expert][expert].
std::vector<moesim::Matrix<double>> random_flow(std::uint64_t seed, std::size_t layers, std::size_t experts);
// [layer][expert].
moesim::Matrix<double> random_load(std::uint64_t seed, std::size_t layers, std::size_t experts);

// Every [expert] -> position with experts / positions on each.
std::vector<std::vector<std::uint32_t>> even_layers(std::size_t experts, std::size_t positions);

// Least crossing_share of all placements whose layers `may` admits; every one is tried, layer by layer (a chain: the
// least up to a layer, for each way to place it). Infinite where there is none.
double least_share_by_trying(const std::vector<moesim::Matrix<double>>& flow, const moesim::Matrix<double>& cost,
                             const std::function<bool(std::size_t layer, const std::vector<std::uint32_t>&)>& may);

}  // namespace moesim::test
