#pragma once
// Products of matrices, as operations ask for them.
#include <span>

#include "kernels/cuda/side.hpp"
#include "kernels/scalar.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

// c[i][j] = alpha * sum over h of a[i][h] b[j][h], or as much more. Rows begin at multiples of 16 bytes.
struct Product {
    std::int64_t m = 0, n = 0, k = 0;  // rows of a, rows of b, length of the sums; any may be 0
    const void* a = nullptr;
    const void* b = nullptr;
    void* c = nullptr;
    std::int64_t a_stride = 0, b_stride = 0, c_stride = 0;  // elements from one row to the next
};
// What all products of one call have in common.
struct ProductRules {
    Scalar in = Scalar::fp32, out = Scalar::fp32;  // of a and b; of c, fp32 or as `in`
    float alpha = 1;
    bool accumulate = false;  // c is added to; otherwise what it held does not matter
};

// Whether several products are one launch: where they are too small to keep the device busy one after the other, their
// results having on average fewer tiles of 128 x 128 than there are multiprocessors.
inline bool in_one_launch(std::span<const Product> products, unsigned multiprocessors) {
    constexpr std::int64_t side = 128;
    std::int64_t tiles = 0;
    for (const Product& p : products) tiles += (p.m + side - 1) / side * ((p.n + side - 1) / side);
    const auto count = static_cast<std::int64_t>(products.size());
    return count > 1 && tiles < count * static_cast<std::int64_t>(multiprocessors);
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
