#pragma once
// Softmax over keys that come a tile at a time (Milakov and Gimelshein, arXiv:1805.02867).
#include "kernels/cpu/vector/lanes.hpp"
#include "kernels/cpu/vector/table.hpp"
#include "kernels/exact_math.hpp"

namespace moesim::kernels::MOESIM_CODE {

inline float softmax_step(float* scores, std::int64_t seen, float scale, SoftmaxSoFar* so_far) {
    constexpr std::int64_t count = attention_tile;
    float largest = so_far->largest;
    for (std::int64_t j = 0; j < count; ++j) scores[j] = j < seen ? scores[j] * scale : -__builtin_inff();
    for (std::int64_t j = 0; j < count; j += lanes) {
        const float best = largest_of_16(scores + j);
        largest = largest < best ? best : largest;
    }
    for (std::int64_t j = 0; j < count; ++j) scores[j] = exact_exp(scores[j] - largest);
    sixteen sums = {};
    for (std::int64_t j = 0; j < count; j += lanes) sums += load_sixteen(scores + j);
    const float factor = exact_exp(so_far->largest - largest);
    *so_far = {largest, so_far->sum * factor + sum_of(sums)};
    return factor;
}

inline void multiply_by(float factor, float* x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) x[i] *= factor;
}

}  // namespace moesim::kernels::MOESIM_CODE
