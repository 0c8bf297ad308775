#pragma once
// Numbers on a grid: whole numbers of one step, which is a power of two.
//
// Sums of a few of them are exact, so that any order and any grouping gives the same bits: those of fp32 while no sum
// is of more than 2^24 steps, those of bf16 of more than 2^8.
#include <cstdint>

#include "kernels/exact_math.hpp"

namespace moesim::kernels {

inline constexpr std::int64_t most_steps = std::int64_t{1} << 23;

struct Grid {
    float step = 1;
    float steps_in_one = 1;  // 1 / step
    float limit = 1;         // in steps, a whole number up to most_steps

    // The nearest number of the grid, ties to an even number of steps, at most `limit` steps from 0; 0 of a NaN. Never
    // -0.
    [[nodiscard]] MOESIM_HOST_DEVICE float nearest(float x) const {
        float q = exact_mul(x, steps_in_one);
        q = q == q ? q : 0.0F;
        q = q < limit ? q : limit;
        q = q > -limit ? q : -limit;
        // What is added to 2^23 is rounded to a whole number.
        const float large = float_of(0x4b000000U | (bits_of(q) & 0x80000000U));
        return exact_mul(exact_sub(exact_add(q, large), large), step);
    }
};

}  // namespace moesim::kernels
