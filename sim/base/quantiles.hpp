#pragma once
#include <cstddef>
#include <vector>

namespace moesim {

// Of a distribution given by its quantiles 0, 1/n, ..., 1 (not of none), the one at u in [0, 1], by linear
// interpolation.
inline double quantile(const std::vector<double>& quantiles, double u) {
    const double at = u * static_cast<double>(quantiles.size() - 1);
    const auto i = static_cast<std::size_t>(at);
    const double rest = at - static_cast<double>(i);
    return quantiles[i] + (i + 1 < quantiles.size() ? rest * (quantiles[i + 1] - quantiles[i]) : 0);
}

}  // namespace moesim
