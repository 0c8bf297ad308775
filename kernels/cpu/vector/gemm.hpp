#pragma once
// Eigen's matrix product. Its templates are in a namespace of the level: the same names compiled for other instructions
// elsewhere in the program must not be taken for them by the linker.
#include <cstdint>

#include "kernels/cpu/vector/level.hpp"

#define EIGEN_DONT_PARALLELIZE  // tiles are what is parallel
#define EIGEN_NO_DEBUG          // arguments were checked
#define Eigen MOESIM_LEVEL_NAME(Eigen)
#include <Eigen/Core>

namespace moesim::kernels::MOESIM_CODE {

inline void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t a_stride, const float* b,
                 std::int64_t b_stride, float* c, std::int64_t c_stride, bool accumulate) {
    using Table = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using Stride = Eigen::OuterStride<>;
    const Eigen::Map<const Table, Eigen::Unaligned, Stride> x(a, m, k, Stride(a_stride));
    const Eigen::Map<const Table, Eigen::Unaligned, Stride> y(b, n, k, Stride(b_stride));
    Eigen::Map<Table, Eigen::Unaligned, Stride> z(c, m, n, Stride(c_stride));
    if (accumulate)
        z.noalias() += x * y.transpose();
    else
        z.noalias() = x * y.transpose();
}

}  // namespace moesim::kernels::MOESIM_CODE
