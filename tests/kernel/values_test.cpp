// The number formats and the arithmetic that every backend shares.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/float_math.hpp"
#include "base/random.hpp"
#include "kernels/scalar.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;

namespace {

// E4M3 by its definition: s eeee fff, bias 7, subnormal below exponent 1.
double value_of_code(unsigned code) {
    const unsigned exponent = (code >> 3) & 15, fraction = code & 7;
    if (exponent == 15 && fraction == 7) return std::numeric_limits<double>::quiet_NaN();
    const double magnitude = exponent == 0 ? fraction * std::ldexp(1.0, -9)
                                           : (1 + fraction / 8.0) * std::ldexp(1.0, static_cast<int>(exponent) - 7);
    return code >= 128 ? -magnitude : magnitude;
}

// The code nearest to |x|, of two as near the even one.
unsigned nearest_code(double x) {
    unsigned best = 0;
    for (unsigned code = 0; code < 0x7f; ++code) {
        const double here = std::abs(value_of_code(code) - std::abs(x)),
                     there = std::abs(value_of_code(best) - std::abs(x));
        if (here < there || (here == there && code % 2 == 0)) best = code;
    }
    return best | (std::signbit(x) ? 0x80U : 0U);
}

float any_float(RandomStream& random) { return std::bit_cast<float>(static_cast<std::uint32_t>(random.next())); }

}  // namespace

TEST_CASE("bfloat16: every value comes back, and floats go to the nearest, ties to even") {
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
        bfloat16 x;
        x.bits = static_cast<std::uint16_t>(bits);
        const auto wide = static_cast<float>(x);
        if (std::isnan(wide)) {
            REQUIRE(std::isnan(static_cast<float>(bfloat16(wide))));
            continue;
        }
        REQUIRE(bfloat16(wide).bits == bits);
        if (std::isinf(wide) || (bits & 0x7fff) >= 0x7f7f) continue;
        // Between this and the next of larger magnitude: the middle goes to the even one, what is beside it does not.
        bfloat16 next;
        next.bits = static_cast<std::uint16_t>(bits + 1);
        const auto after = static_cast<float>(next);
        const auto middle = static_cast<float>((static_cast<double>(wide) + static_cast<double>(after)) / 2);
        if ((std::bit_cast<std::uint32_t>(middle) & 0xffffU) != 0x8000U) continue;  // below the normal floats
        REQUIRE(bfloat16(middle).bits == (bits % 2 == 0 ? bits : bits + 1));
        REQUIRE(bfloat16(std::nextafter(middle, wide)).bits == bits);
        REQUIRE(bfloat16(std::nextafter(middle, after)).bits == bits + 1);
    }
    REQUIRE(std::isinf(static_cast<float>(bfloat16(std::numeric_limits<float>::max()))));
    REQUIRE(std::isnan(static_cast<float>(bfloat16(std::bit_cast<float>(0x7f800001U)))));
}

TEST_CASE("fp8 e4m3: codes have the values of the specification, and floats go to the nearest, saturating") {
    for (unsigned code = 0; code < 256; ++code) {
        float8_e4m3 x;
        x.bits = static_cast<std::uint8_t>(code);
        const auto value = static_cast<float>(x);
        if ((code & 0x7f) == 0x7f) {
            REQUIRE(std::isnan(value));
            continue;
        }
        REQUIRE(static_cast<double>(value) == value_of_code(code));
        REQUIRE(std::signbit(value) == (code >= 128));
        REQUIRE(float8_e4m3(value).bits == code);
        if ((code & 0x7f) == 0x7e) continue;
        const auto middle = static_cast<float>((value_of_code(code) + value_of_code(code + 1)) / 2);
        for (const float y : {middle, std::nextafter(middle, 0.0F), std::nextafter(middle, std::copysign(1e9F, value))})
            REQUIRE(float8_e4m3(y).bits == nearest_code(static_cast<double>(y)));
    }
    REQUIRE(float8_e4m3(1e30F).bits == 0x7e);
    REQUIRE(float8_e4m3(-std::numeric_limits<float>::infinity()).bits == 0xfe);
    REQUIRE(float8_e4m3(-std::numeric_limits<float>::quiet_NaN()).bits == 0x7f);
    RandomStream random(stream_key(1, 98), 0);
    for (int i = 0; i < 2000; ++i) {
        const float x = any_float(random), y = static_cast<float>(random.normal()) * 100;
        if (!std::isnan(x)) REQUIRE(float8_e4m3(x).bits == nearest_code(static_cast<double>(x)));
        REQUIRE(float8_e4m3(y).bits == nearest_code(static_cast<double>(y)));
    }
}

TEST_CASE("exponential and logarithm have the bits of the simulator's") {
    RandomStream random(stream_key(2, 98), 0);
    for (int i = 0; i < 200000; ++i) {
        const float x = any_float(random), y = static_cast<float>(random.normal()) * 30;
        REQUIRE(bits_of(exact_exp(y)) == std::bit_cast<std::uint32_t>(float_exp(y)));
        REQUIRE(bits_of(exact_exp(x)) == std::bit_cast<std::uint32_t>(float_exp(x)));
        if (std::isnormal(x)) {
            const float magnitude = std::abs(x);
            REQUIRE(bits_of(exact_log(magnitude)) == std::bit_cast<std::uint32_t>(float_log(magnitude)));
        }
    }
}
