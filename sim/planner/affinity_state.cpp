#include "planner/affinity_state.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace moesim {
namespace {

// Costs as small integers: 0 and 1 where there is only one besides 0, up to 64 otherwise.
Matrix<std::int32_t> small_integers(const Matrix<double>& cost, double& unit) {
    double most = 0, least = 0;
    for (const double c : cost.values()) {
        most = std::max(most, c);
        if (c > 0) least = least > 0 ? std::min(least, c) : c;
    }
    unit = least < most ? most / 64 : most;
    Matrix<std::int32_t> m(cost.rows(), cost.cols());
    for (std::size_t p = 0; p < cost.rows(); ++p)
        for (std::size_t q = 0; unit > 0 && q < cost.cols(); ++q)
            m(p, q) = static_cast<std::int32_t>(std::lround(cost(p, q) / unit));
    return m;
}

// The most that goes in or out of an expert, and over both transitions.
double busiest(const std::vector<Matrix<double>>& flow) {
    double most = 0;
    for (const Matrix<double>& f : flow)
        for (std::size_t e = 0; e < f.rows(); ++e) {
            double out = 0, in = 0;
            for (std::size_t g = 0; g < f.cols(); ++g) out += f(e, g), in += f(g, e);
            most = std::max({most, out, in});
        }
    return 2 * most;
}

}  // namespace

AffinityState::AffinityState(const std::vector<Matrix<double>>& flow, const Matrix<std::uint32_t>& place,
                             const Matrix<double>& cost)
    : place_(place), difference_(place.cols()) {
    double cost_unit = 1;
    cost_ = small_integers(cost, cost_unit);
    const auto& costs = cost_.values();
    const double highest = std::max<double>(1, *std::max_element(costs.begin(), costs.end()));
    // Four costs of an expert are added up: 2^28 is the most that one may be. 2^10 parts of a token are plenty.
    const double scale = std::min(0x1p10, 0x1p28 / std::max(1.0, highest * busiest(flow)));
    unit_ = cost_unit / scale;
    const std::size_t experts = place.cols(), positions = cost.rows();
    for (const Matrix<double>& f : flow) {
        forward_.emplace_back(experts, experts);
        backward_.emplace_back(experts, experts);
        for (std::size_t e = 0; e < experts; ++e)
            for (std::size_t g = 0; g < experts; ++g)
                forward_.back()(e, g) = backward_.back()(g, e) =
                    static_cast<std::int32_t>(std::lround(f(e, g) * scale));
    }
    cost_at_.assign(layers(), Matrix<std::int32_t>(positions, experts));
    for (std::size_t l = 0; l + 1 < layers(); ++l)
        for (std::size_t e = 0; e < experts; ++e)
            for (std::size_t g = 0; g < experts; ++g)
                for (std::size_t p = 0; p < positions; ++p) {
                    cost_at_[l](p, e) += forward_[l](e, g) * cost_(p, place(l + 1, g));
                    cost_at_[l + 1](p, g) += forward_[l](e, g) * cost_(place(l, e), p);
                }
}

void AffinityState::add(std::size_t layer, std::size_t row, std::int32_t times) {
    const auto to = cost_at_[layer].row(row);
    const std::int32_t* d = difference_.data();
    const std::size_t n = to.size();
    // Of many processors only the newer ones multiply whole vectors; on positions that are alike it is never needed.
    if (times == 1)
        for (std::size_t e = 0; e < n; ++e) to[e] += d[e];
    else if (times == -1)
        for (std::size_t e = 0; e < n; ++e) to[e] -= d[e];
    else if (times != 0)
        for (std::size_t e = 0; e < n; ++e) to[e] += times * d[e];
}

void AffinityState::swap(std::size_t layer, std::size_t a, std::size_t b) {
    const std::size_t p = place_(layer, a), q = place_(layer, b), positions = cost_.rows();
    std::swap(place_(layer, a), place_(layer, b));
    const auto differ = [&](const Matrix<std::int32_t>& flow) {
        const auto ra = flow.row(a), rb = flow.row(b);
        for (std::size_t e = 0; e < difference_.size(); ++e) difference_[e] = ra[e] - rb[e];
    };
    if (layer + 1 < layers()) {
        differ(forward_[layer]);
        for (std::size_t r = 0; r < positions; ++r) add(layer + 1, r, cost_(q, r) - cost_(p, r));
    }
    if (layer > 0) {
        differ(backward_[layer - 1]);
        for (std::size_t r = 0; r < positions; ++r) add(layer - 1, r, cost_(r, q) - cost_(r, p));
    }
}

}  // namespace moesim
