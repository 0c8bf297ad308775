#pragma once
// The upper half of a float: 8 bits of exponent, 7 of fraction. As __nv_bfloat16 lies in memory.
#include <cstdint>

#include "kernels/exact_math.hpp"

namespace moesim::kernels {

struct bfloat16 {
    std::uint16_t bits = 0;

    bfloat16() = default;
    // To the nearest, ties to even; what is beyond the largest one becomes infinite; a NaN stays one, quiet.
    MOESIM_HOST_DEVICE explicit bfloat16(float x) {
        const std::uint32_t b = bits_of(x);
        const bool nan = (b & 0x7fffffffU) > 0x7f800000U;
        const std::uint32_t rounded = b + 0x7fffU + ((b >> 16) & 1U);
        bits = static_cast<std::uint16_t>((nan ? (b | 0x00400000U) : rounded) >> 16);
    }
    MOESIM_HOST_DEVICE explicit operator float() const { return float_of(static_cast<std::uint32_t>(bits) << 16); }
};

}  // namespace moesim::kernels
