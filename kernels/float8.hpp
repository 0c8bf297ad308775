#pragma once
// E4M3 of the OCP 8-bit Floating Point Specification 1.0 (2023): 4 bits of exponent (bias 7), 3 of fraction, no
// infinities; the largest is 448, 0x7f and 0xff are NaN. As __nv_fp8_e4m3 lies in memory.
#include <cstdint>

#include "kernels/exact_math.hpp"

namespace moesim::kernels {

struct float8_e4m3 {
    static constexpr float largest = 448.0F;
    std::uint8_t bits = 0;

    float8_e4m3() = default;
    // To the nearest, ties to even, saturating: beyond 448, and infinite, becomes 448. A NaN becomes 0x7f.
    MOESIM_HOST_DEVICE explicit float8_e4m3(float x) {
        const std::uint32_t b = bits_of(x), sign = (b >> 24) & 0x80U, magnitude = b & 0x7fffffffU;
        constexpr std::uint32_t smallest_normal = 121U << 23;  // 2^-6
        std::uint32_t code = 0;
        if (magnitude < smallest_normal) {
            // Multiples of 2^-9: what is added to 2^14 is rounded to one, which then stands in the lowest bits.
            code = bits_of(exact_add(float_of(magnitude), 16384.0F)) & 0xfU;
        } else {
            // 20 bits of fraction fall off; exponents count from 7, not from 127.
            code = (magnitude + 0x7ffffU + ((magnitude >> 20) & 1U)) >> 20;
            code = code - (120U << 3);
            code = code > 0x7eU ? 0x7eU : code;
        }
        bits = static_cast<std::uint8_t>(magnitude > 0x7f800000U ? 0x7fU : (sign | code));
    }
    MOESIM_HOST_DEVICE explicit operator float() const {
        const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80U) << 24, magnitude = bits & 0x7fU;
        if (magnitude == 0x7fU) return float_of(sign | 0x7fc00000U);
        // As the exponent and fraction of a float it is 2^-120 of its value, below the normal ones as well.
        return float_of(sign | bits_of(exact_mul(float_of(magnitude << 20), 0x1p120F)));
    }
};

}  // namespace moesim::kernels
