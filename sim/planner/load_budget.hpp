#pragma once
// The loads of positions during a search by swaps, and how uneven they may get.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/matrix.hpp"

namespace moesim {

// Limits load_imbalance: the mean over layers of heaviest / mean position. A layer may exceed it where others make up.
class LoadBudget {
  public:
    // load, place: [layer][expert]. What the placement has is allowed even where it is above the limit.
    LoadBudget(const Matrix<double>& load, const Matrix<std::uint32_t>& place, std::size_t positions, double limit);

    // Experts a, at p, and b, at q, of a layer change places, if that is allowed.
    bool swap(std::size_t layer, std::size_t a, std::size_t p, std::size_t b, std::size_t q);
    [[nodiscard]] double imbalance() const;

  private:
    [[nodiscard]] double worst(std::size_t layer) const;
    Matrix<double> load_, at_;   // [layer][expert], [layer][position]: in units of the layer's mean position
    std::vector<double> worst_;  // [layer]
    double sum_ = 0, most_ = 0;
};

}  // namespace moesim
