#include "planner/load_budget.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {

LoadBudget::LoadBudget(const Matrix<double>& load, const Matrix<std::uint32_t>& place, std::size_t positions,
                       double limit)
    : load_(load), at_(load.rows(), positions), worst_(load.rows()) {
    for (std::size_t l = 0; l < load.rows(); ++l) {
        const auto row = load_.row(l);
        const double all = std::accumulate(row.begin(), row.end(), 0.0);
        for (double& w : row) w = all > 0 ? w / all * static_cast<double>(positions) : 0;
        for (std::size_t e = 0; e < row.size(); ++e) at_(l, place(l, e)) += row[e];
        worst_[l] = worst(l);
        sum_ += worst_[l];
    }
    most_ = std::max(limit * static_cast<double>(load.rows()), sum_);
}

double LoadBudget::worst(std::size_t layer) const {
    const auto row = at_.row(layer);
    return *std::max_element(row.begin(), row.end());
}

bool LoadBudget::swap(std::size_t layer, std::size_t a, std::size_t p, std::size_t b, std::size_t q) {
    const double shift = load_(layer, a) - load_(layer, b);
    double &from = at_(layer, p), &to = at_(layer, q);
    const double old_from = from, old_to = to;
    from -= shift;
    to += shift;
    const double now = worst(layer);
    if (now > worst_[layer] && sum_ - worst_[layer] + now > most_) {
        from = old_from;
        to = old_to;
        return false;
    }
    sum_ += now - worst_[layer];
    worst_[layer] = now;
    return true;
}

double LoadBudget::imbalance() const { return sum_ / static_cast<double>(worst_.size()); }

}  // namespace moesim
