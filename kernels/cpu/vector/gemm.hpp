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
#include <type_traits>

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

template <class T>
using Table = Eigen::Map<std::conditional_t<std::is_const_v<T>, const Eigen::Matrix<float, -1, -1, Eigen::RowMajor>,
                                            Eigen::Matrix<float, -1, -1, Eigen::RowMajor>>,
                         Eigen::Unaligned, Eigen::OuterStride<>>;
template <class T>
Table<T> table(T* data, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
    static_assert(product_rows(1, 1'000) % Eigen::internal::gebp_traits<float, float>::nr == 0);
    return {data, rows, cols, Eigen::OuterStride<>(stride)};
}

inline void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t a_stride, const float* b,
                 std::int64_t b_stride, float* c, std::int64_t c_stride, bool accumulate) {
    if (n == 1) return rows_times_one(m, k, a, a_stride, b, c, c_stride, accumulate);
    fix_block_sizes();
    const auto x = table(a, m, k, a_stride), y = table(b, n, k, b_stride);
    auto z = table(c, m, n, c_stride);
    if (accumulate)
        z.noalias() += x * y.transpose();
    else
        z.noalias() = x * y.transpose();
}

inline void gemm_by_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t a_stride,
                         const float* b, std::int64_t b_stride, float* c, std::int64_t c_stride) {
    if (n == 1) return rows_times_one(m, k, a, a_stride, b, c, c_stride, true);
    fix_block_sizes();
    table(c, m, n, c_stride).noalias() += table(a, m, k, a_stride) * table(b, k, n, b_stride);
}

}  // namespace moesim::kernels::MOESIM_CODE
