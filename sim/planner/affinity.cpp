#include "planner/affinity.hpp"

#include <algorithm>

namespace moesim {

Matrix<double> crossing_costs(const Positions& positions, const CrossingCost& cost) {
    const std::size_t n = positions.count();
    Matrix<double> m(n, n);
    for (std::size_t p = 0; p < n; ++p)
        for (std::size_t q = 0; q < n; ++q)
            if (p != q) m(p, q) = positions.node[p] == positions.node[q] ? cost.position : cost.node;
    return m;
}

double crossing_share(const std::vector<Matrix<double>>& flow, const Matrix<std::uint32_t>& place,
                      const Matrix<double>& cost) {
    double crossing = 0, all = 0;
    for (std::size_t l = 0; l < flow.size(); ++l)
        for (std::size_t e = 0; e < flow[l].rows(); ++e)
            for (std::size_t f = 0; f < flow[l].cols(); ++f) {
                all += flow[l](e, f);
                crossing += flow[l](e, f) * cost(place(l, e), place(l + 1, f));
            }
    return all > 0 ? crossing / all : 0;
}

double crossing_share(const WorkloadCounts& workload, const Placement& placement) {
    Matrix<double> cost(placement.positions(), placement.positions(), 1);
    for (std::size_t p = 0; p < cost.rows(); ++p) cost(p, p) = 0;
    return crossing_share(workload.first, table_of(placement), cost);
}

Matrix<std::uint32_t> table_of(const Placement& placement) {
    Matrix<std::uint32_t> table(placement.layers(), placement.experts());
    for (std::size_t l = 0; l < table.rows(); ++l)
        for (std::size_t e = 0; e < table.cols(); ++e)
            table(l, e) = static_cast<std::uint32_t>(placement.position(LayerId(l), e));
    return table;
}

}  // namespace moesim
