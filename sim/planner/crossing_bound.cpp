#include "planner/crossing_bound.hpp"

#include <algorithm>
#include <functional>

namespace moesim {
namespace {

// most * (sum of prices) + what entries are worth above their two prices.
double dual_value(const Matrix<double>& flow, double most, const std::vector<double>& row,
                  const std::vector<double>& column) {
    double sum = 0;
    for (const double u : row) sum += most * u;
    for (const double v : column) sum += most * v;
    for (std::size_t e = 0; e < flow.rows(); ++e)
        for (std::size_t f = 0; f < flow.cols(); ++f) sum += std::max(0.0, flow(e, f) - row[e] - column[f]);
    return sum;
}

}  // namespace

double transport_bound(const Matrix<double>& flow, std::size_t most) {
    // The best prices of one side, given the other's, are known: an entry more than `most` is worth. So sides take
    // turns, the side that follows starting from a mean of both, since otherwise the first takes all.
    constexpr int turns = 60;
    const std::size_t n = flow.rows();
    std::vector<double> row(n), column(n), worth(n);
    const auto best_price = [&](auto entry) {
        for (std::size_t i = 0; i < n; ++i) worth[i] = entry(i);
        if (most >= n) return 0.0;
        std::nth_element(worth.begin(), worth.begin() + static_cast<std::ptrdiff_t>(most), worth.end(),
                         std::greater<>());
        return std::max(0.0, worth[most]);
    };
    double best = dual_value(flow, static_cast<double>(most), row, column);
    for (int turn = 0; turn < turns; ++turn) {
        const double step = 1.0 / (1 + 0.1 * turn);
        for (std::size_t e = 0; e < n; ++e)
            row[e] += step * (best_price([&](std::size_t f) { return flow(e, f) - column[f]; }) - row[e]) *
                      (turn == 0 ? 0.5 : 1);
        best = std::min(best, dual_value(flow, static_cast<double>(most), row, column));
        for (std::size_t f = 0; f < n; ++f)
            column[f] += step * (best_price([&](std::size_t e) { return flow(e, f) - row[e]; }) - column[f]);
        best = std::min(best, dual_value(flow, static_cast<double>(most), row, column));
    }
    return best;
}

double crossing_bound(const std::vector<Matrix<double>>& flow, std::size_t most, std::size_t positions_per_node,
                      const CrossingCost& cost) {
    double all = 0, on_position = 0, on_node = 0;
    for (const Matrix<double>& f : flow) {
        for (const double v : f.values()) all += v;
        on_position += transport_bound(f, most);
        on_node += transport_bound(f, most * positions_per_node);
    }
    if (all <= 0) return 0;
    // Cost = node - (node - position) [same node] - position [same position]; where a node is nearer than a position
    // of the same node, all crossing costs at least as much as the cheaper one.
    if (cost.node < cost.position) return std::max(0.0, cost.node * (1 - on_position / all));
    return std::max(0.0, cost.node - (cost.node - cost.position) * std::min(1.0, on_node / all) -
                             cost.position * std::min(1.0, on_position / all));
}

}  // namespace moesim
