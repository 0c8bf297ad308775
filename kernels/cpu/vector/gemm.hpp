#pragma once
// Eigen's matrix product. Its templates are in a namespace of the level: the same names compiled for other instructions
// elsewhere in the program must not be taken for them by the linker.
//
// That a row's sums do not depend on the other rows is a matter of the calls' shapes. Eigen 3.4 orders the sums of an
// element (a) by the block of columns of its second operand that it is in, here 4 rows of `a` or what is left of them:
// nothing is left of a multiple of 4; (b) by where the cuts between blocks of rows of its first operand, here `b`, lie:
// at multiples of the same register block for every m, but where k * m <= 256, when they may lie anywhere, and with
// small second-level caches; (c) with other code where one operand is a vector, or where m + n + k < 20. product_rows
// leaves n = 1 of all that, which has its own loop here.
#include <cstdint>

#include "kernels/cpu/vector/lanes.hpp"
#include "kernels/cpu/vector/table.hpp"

#define EIGEN_DONT_PARALLELIZE  // tiles are what is parallel
#define EIGEN_NO_DEBUG          // arguments were checked
#define Eigen MOESIM_LEVEL_NAME(Eigen)
#include <Eigen/Core>

namespace moesim::kernels::MOESIM_CODE {

// Blocks of sums are cut for these caches, whatever the machine's: the same bits everywhere.
inline void fix_block_sizes() {
    static const bool done = (Eigen::setCpuCacheSizes(32 << 10, 1 << 20, 32 << 20), true);
    static_cast<void>(done);
}

// Times one row, b: a sum for each.
inline void rows_times_one(std::int64_t m, std::int64_t k, const float* a, std::int64_t a_stride, const float* b,
                           float* c, std::int64_t c_stride, bool accumulate) {
    for (std::int64_t i = 0; i < m; ++i) {
        const float* const row = a + i * a_stride;
        const float sum = dot(row, b, k);
        c[i * c_stride] = accumulate ? c[i * c_stride] + sum : sum;
    }
}

inline void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t a_stride, const float* b,
                 std::int64_t b_stride, float* c, std::int64_t c_stride, bool accumulate) {
    if (n == 1) return rows_times_one(m, k, a, a_stride, b, c, c_stride, accumulate);
    fix_block_sizes();
    static_assert(product_rows(1, 1'000) % Eigen::internal::gebp_traits<float, float>::nr == 0);
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
