#include "planner/cluster_labels.hpp"

#include <numeric>

#include "planner/assignment.hpp"
#include "planner/partition_program.hpp"

namespace moesim {
namespace {

// [cluster of layer l][cluster of the next].
Matrix<double> between_clusters(const Matrix<double>& flow, const Matrix<std::uint32_t>& place, std::size_t l,
                                std::size_t clusters) {
    Matrix<double> sum(clusters, clusters);
    for (std::size_t e = 0; e < flow.rows(); ++e)
        for (std::size_t f = 0; f < flow.cols(); ++f) sum(place(l, e), place(l + 1, f)) += flow(e, f);
    return sum;
}

}  // namespace

Matrix<std::uint32_t> label_clusters(const std::vector<Matrix<double>>& flow, const Matrix<std::uint32_t>& place,
                                     std::size_t nodes, std::size_t positions_per_node, const CrossingCost& cost) {
    const std::size_t clusters = nodes * positions_per_node;
    std::vector<Matrix<double>> reduced;
    reduced.reserve(flow.size());
    for (std::size_t l = 0; l < flow.size(); ++l) reduced.push_back(between_clusters(flow[l], place, l, clusters));
    Matrix<std::uint32_t> label(place.rows(), clusters);  // [layer][cluster]
    if (cost.flat() || nodes == 1 || positions_per_node == 1) {
        if (label.rows() > 0) std::iota(label.row(0).begin(), label.row(0).end(), 0U);
        Assignment assignment;
        std::vector<std::uint32_t> column;
        for (std::size_t l = 0; l < flow.size(); ++l) {
            Matrix<double> negative(clusters, clusters);
            for (std::size_t c = 0; c < clusters; ++c)
                for (std::size_t d = 0; d < clusters; ++d) negative(c, d) = -reduced[l](c, d);
            assignment.solve(negative, column);
            for (std::size_t c = 0; c < clusters; ++c) label(l + 1, column[c]) = label(l, c);
        }
    } else {
        label = least_crossing(reduced, {clusters, nodes, positions_per_node}, cost, {});
    }
    Matrix<std::uint32_t> result = place;
    for (std::size_t l = 0; l < place.rows(); ++l)
        for (std::uint32_t& p : result.row(l)) p = label(l, p);
    return result;
}

}  // namespace moesim
