#include "planner/load_measures.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

std::vector<double> position_loads(const Matrix<double>& load, const Placement& placement, std::size_t layer) {
    std::vector<double> at(placement.positions());
    for (std::size_t e = 0; e < placement.experts(); ++e) {
        const auto copies = placement.replicas(LayerId(layer), e);
        for (const std::uint32_t p : copies) at[p] += load(layer, e) / static_cast<double>(copies.size());
    }
    return at;
}

double load_imbalance(const Matrix<double>& load, const Placement& placement) {
    double sum = 0;
    for (std::size_t l = 0; l < load.rows(); ++l) {
        const std::vector<double> at = position_loads(load, placement, l);
        const double all = std::accumulate(at.begin(), at.end(), 0.0);
        const double most = *std::max_element(at.begin(), at.end());
        sum += all > 0 ? most / (all / static_cast<double>(at.size())) : 1;
    }
    return load.rows() > 0 ? sum / static_cast<double>(load.rows()) : 1;
}

double imbalance_bound(const Matrix<double>& load, std::size_t positions, std::size_t most) {
    const std::size_t experts = load.cols(), others = (positions - 1) * most;
    const std::size_t least = experts > others ? experts - others : 0;  // experts that every position has
    double sum = 0;
    for (std::size_t l = 0; l < load.rows(); ++l) {
        std::vector<double> sorted(load.row(l).begin(), load.row(l).end());
        std::sort(sorted.begin(), sorted.end());
        const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(positions);
        if (mean <= 0) {
            sum += 1;
            continue;
        }
        const auto light = static_cast<std::ptrdiff_t>(least > 0 ? least - 1 : 0);
        const double heaviest = sorted.back() + std::accumulate(sorted.begin(), sorted.begin() + light, 0.0);
        sum += std::max(1.0, heaviest / mean);
    }
    return load.rows() > 0 ? sum / static_cast<double>(load.rows()) : 1;
}

}  // namespace moesim
