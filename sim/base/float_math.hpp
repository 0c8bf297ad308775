#pragma once
// Logarithm and exponential of floats, in plain arithmetic: the same bits on every machine, which the C library's do
// not promise, and without calls or branches, so that compilers make vector code of the loops that they are in.
// Range reduction, polynomials and split constants are those of Cephes 2.2 (Moshier 1992; single/logf.c, expf.c).
#include <bit>
#include <cstdint>

namespace moesim {

// ln x of a positive normal number, within 2e-7 of it (relative).
inline float float_log(float x) {
    // x = m 2^e with m in [sqrt(1/2), sqrt(2)): the bits are counted from those of sqrt(1/2).
    constexpr std::int32_t sqrt_half = 0x3f3504f3;
    const auto bits = std::bit_cast<std::int32_t>(x);
    const std::int32_t e = (bits - sqrt_half) >> 23;
    const auto exponent = static_cast<float>(e);
    const float f = std::bit_cast<float>(bits - (e << 23)) - 1.0F;
    const float square = f * f, fourth = square * square;
    // Estrin's order, which waits less than Horner's.
    const float p0 = (3.3333331174e-1F - 2.4999993993e-1F * f) + (2.0000714765e-1F - 1.6668057665e-1F * f) * square;
    const float p4 = (1.4249322787e-1F - 1.2420140846e-1F * f) + (1.1676998740e-1F - 1.1514610310e-1F * f) * square;
    const float p = p0 + (p4 + 7.0376836292e-2F * fourth) * fourth;
    // ln 2 in two parts, the larger of few digits, so that its product with e is exact.
    const float low = (p * (f * square) - 2.12194440e-4F * exponent) - 0.5F * square;
    return (f + low) + 0.693359375F * exponent;
}

// e^x, within 2e-7 of it (relative), for x up to 88; 0 below -87.7, about where the normal numbers end.
inline float float_exp(float x) {
    // |x| is held to 88 by its bits: of a comparison compilers make a branch, since the rest is constant beyond it.
    constexpr std::int32_t all_but_sign = 0x7fffffff, limit = std::bit_cast<std::int32_t>(88.0F);
    const auto bits = std::bit_cast<std::int32_t>(x);
    const std::int32_t room = limit - (bits & all_but_sign);
    const float y = std::bit_cast<float>(bits + (room & (room >> 31)));
    constexpr float to_nearest = 12582912.0F;  // 1.5 * 2^23: what is added to it is rounded to a whole number
    const float n = (y * 1.44269504088896341F + to_nearest) - to_nearest;
    const float r = (y - n * 0.693359375F) + n * 2.12194440e-4F, square = r * r;
    const float p0 = (5.0000001201e-1F + 1.6666665459e-1F * r) + (4.1665795894e-2F + 8.3334519073e-3F * r) * square;
    const float p = p0 + (1.3981999507e-3F + 1.9875691500e-4F * r) * (square * square);
    // 2^n by its exponent bits, which are 0, and so is the result, at n = -127.
    return (p * square + r + 1.0F) * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

}  // namespace moesim
