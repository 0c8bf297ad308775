#pragma once
// Arithmetic that gives the same bits on every backend: each operation is rounded to nearest on its own. A host
// compiler is told so (-ffp-contract=off); nvcc would fuse products and sums, so there the operations are named.
// Whoever chooses experts or adds up results by these functions gets the answer of the CPU twin, not one that is close.
#include <bit>
#include <cstdint>

#include "kernels/host_device.hpp"

namespace moesim::kernels {

MOESIM_HOST_DEVICE inline std::uint32_t bits_of(float x) {
#ifdef __CUDA_ARCH__
    return __float_as_uint(x);
#else
    return std::bit_cast<std::uint32_t>(x);
#endif
}
MOESIM_HOST_DEVICE inline float float_of(std::uint32_t bits) {
#ifdef __CUDA_ARCH__
    return __uint_as_float(bits);
#else
    return std::bit_cast<float>(bits);
#endif
}

MOESIM_HOST_DEVICE inline float exact_mul(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}
MOESIM_HOST_DEVICE inline float exact_add(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fadd_rn(a, b);
#else
    return a + b;
#endif
}
MOESIM_HOST_DEVICE inline float exact_sub(float a, float b) { return exact_add(a, -b); }
MOESIM_HOST_DEVICE inline float exact_div(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fdiv_rn(a, b);
#else
    return a / b;
#endif
}

// e^x within 2e-7 of it (relative) for x up to 88, as which larger ones count; 0 below -87.7. The same bits as
// moesim::float_exp (base/float_math.hpp), which says where the polynomial is from.
MOESIM_HOST_DEVICE inline float exact_exp(float x) {
    constexpr std::int32_t all_but_sign = 0x7fffffff, limit = 0x42b00000;  // the bits of 88
    const auto bits = static_cast<std::int32_t>(bits_of(x));
    const std::int32_t room = limit - (bits & all_but_sign);
    const float y = float_of(static_cast<std::uint32_t>(bits + (room & (room >> 31))));
    constexpr float to_nearest = 12582912.0F;  // 1.5 * 2^23
    const float n = exact_sub(exact_add(exact_mul(y, 1.44269504088896341F), to_nearest), to_nearest);
    const float r = exact_add(exact_sub(y, exact_mul(n, 0.693359375F)), exact_mul(n, 2.12194440e-4F));
    const float square = exact_mul(r, r);
    const float p0 = exact_add(exact_add(5.0000001201e-1F, exact_mul(1.6666665459e-1F, r)),
                               exact_mul(exact_add(4.1665795894e-2F, exact_mul(8.3334519073e-3F, r)), square));
    const float p = exact_add(
        p0, exact_mul(exact_add(1.3981999507e-3F, exact_mul(1.9875691500e-4F, r)), exact_mul(square, square)));
    const float power = float_of(static_cast<std::uint32_t>(static_cast<std::int32_t>(n) + 127) << 23);
    return exact_mul(exact_add(exact_add(exact_mul(p, square), r), 1.0F), power);
}

// ln x of a positive normal number within 2e-7 of it (relative): the same bits as moesim::float_log.
MOESIM_HOST_DEVICE inline float exact_log(float x) {
    constexpr std::int32_t sqrt_half = 0x3f3504f3;
    const auto bits = static_cast<std::int32_t>(bits_of(x));
    const std::int32_t e = (bits - sqrt_half) >> 23;
    const auto exponent = static_cast<float>(e);
    const float f = exact_sub(float_of(static_cast<std::uint32_t>(bits) - (static_cast<std::uint32_t>(e) << 23)), 1.0F);
    const float square = exact_mul(f, f), fourth = exact_mul(square, square);
    const float p0 = exact_add(exact_sub(3.3333331174e-1F, exact_mul(2.4999993993e-1F, f)),
                               exact_mul(exact_sub(2.0000714765e-1F, exact_mul(1.6668057665e-1F, f)), square));
    const float p4 = exact_add(exact_sub(1.4249322787e-1F, exact_mul(1.2420140846e-1F, f)),
                               exact_mul(exact_sub(1.1676998740e-1F, exact_mul(1.1514610310e-1F, f)), square));
    const float p = exact_add(p0, exact_mul(exact_add(p4, exact_mul(7.0376836292e-2F, fourth)), fourth));
    const float low = exact_sub(exact_sub(exact_mul(p, exact_mul(f, square)), exact_mul(2.12194440e-4F, exponent)),
                                exact_mul(0.5F, square));
    return exact_add(exact_add(f, low), exact_mul(0.693359375F, exponent));
}

}  // namespace moesim::kernels
