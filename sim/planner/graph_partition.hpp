#pragma once
// The one way to METIS, which partitions graphs (Karypis and Kumar, SIAM J. Sci. Comput. 20, 1998).
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/matrix.hpp"

namespace moesim {

class WeightedGraph {
  public:
    // weight: [vertex][constraint]: what parts are to be balanced by.
    explicit WeightedGraph(Matrix<std::int32_t> weight) : weight_(std::move(weight)), edges_(weight_.rows()) {}
    // Between two different vertices; given once for each pair.
    void join(std::size_t a, std::size_t b, double weight);

    struct Edge {
        std::size_t to;
        double weight;
    };
    [[nodiscard]] std::size_t vertices() const { return edges_.size(); }
    [[nodiscard]] const std::vector<Edge>& edges(std::size_t vertex) const { return edges_[vertex]; }
    [[nodiscard]] const Matrix<std::int32_t>& weight() const { return weight_; }

  private:
    Matrix<std::int32_t> weight_;
    std::vector<std::vector<Edge>> edges_;
};

// Parts of `share` (which add up to 1) of every constraint's weight each, up to `imbalance` times that where METIS can
// have it so, with edges of little weight between them. The same for the same seed. METIS keeps imbalances loosely
// where constraints are many: callers that need exact sizes repair them. [vertex]
std::vector<std::uint32_t> partition_graph(const WeightedGraph& graph, const std::vector<double>& share,
                                           double imbalance, std::uint64_t seed);

}  // namespace moesim
