#include "kernels/bench/dense_product.hpp"

#include <Eigen/Core>

namespace moesim::bench {

void dense_product(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float* c,
                   int threads) {
    using Table = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    Eigen::setNbThreads(threads);
    Eigen::Map<Table>(c, m, n).noalias() =
        Eigen::Map<const Table>(a, m, k) * Eigen::Map<const Table>(b, n, k).transpose();
}

}  // namespace moesim::bench
