#include "planner/assignment.hpp"

#include <limits>

namespace moesim {

double Assignment::solve(const Matrix<double>& cost, std::vector<std::uint32_t>& column) {
    const auto n = static_cast<std::uint32_t>(cost.rows());
    row_price_.assign(n, 0);
    column_price_.assign(n + 1, 0);
    row_of_.assign(n + 1, n);
    before_.resize(n + 1);
    for (std::uint32_t start = 0; start < n; ++start) {
        // Dijkstra from a row without a column, over reduced costs, to the nearest column without a row. The column n
        // stands for the start.
        distance_.assign(n, std::numeric_limits<double>::infinity());
        done_.assign(n + 1, 0);
        row_of_[n] = start;
        std::uint32_t at = n;
        do {
            done_[at] = 1;
            const std::uint32_t row = row_of_[at];
            const auto costs = cost.row(row);
            double nearest = std::numeric_limits<double>::infinity();
            std::uint32_t next = n;
            for (std::uint32_t j = 0; j < n; ++j) {
                if (done_[j] != 0) continue;
                const double reduced = costs[j] - row_price_[row] - column_price_[j];
                if (reduced < distance_[j]) distance_[j] = reduced, before_[j] = at;
                if (distance_[j] < nearest) nearest = distance_[j], next = j;
            }
            for (std::uint32_t j = 0; j <= n; ++j) {
                if (done_[j] != 0) {
                    row_price_[row_of_[j]] += nearest;
                    column_price_[j] -= nearest;
                } else if (j < n) {
                    distance_[j] -= nearest;
                }
            }
            at = next;
        } while (row_of_[at] != n);
        for (; at != n; at = before_[at]) row_of_[at] = row_of_[before_[at]];
    }
    column.resize(n);
    double total = 0;
    for (std::uint32_t j = 0; j < n; ++j) {
        column[row_of_[j]] = j;
        total += cost(row_of_[j], j);
    }
    return total;
}

}  // namespace moesim
