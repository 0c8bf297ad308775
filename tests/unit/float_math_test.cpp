// Our logarithm and exponential against the C library's in double.
#include <bit>
#include <cmath>
#include <limits>

#include "base/float_math.hpp"
#include "support/catch.hpp"

using namespace moesim;

TEST_CASE("the logarithm is right over all normal numbers") {
    double worst = 0;
    const auto look_at = [&](std::uint32_t bits) {
        const auto x = std::bit_cast<float>(bits);
        const double exact = std::log(static_cast<double>(x));
        if (exact != 0) worst = std::max(worst, std::abs(static_cast<double>(float_log(x)) / exact - 1));
    };
    for (std::uint32_t bits = 0x00800000; bits < 0x7f800000; bits += 977) look_at(bits);
    // where it comes near 0, each number
    for (std::uint32_t bits = 0x3f7f0000; bits < 0x3f810000; ++bits) look_at(bits);
    CHECK(worst < 1.2e-7);
    CHECK(float_log(1) == 0);
}

TEST_CASE("the exponential is right over all that gives normal numbers") {
    double worst = 0;
    for (int i = -873'300; i <= 880'000; ++i) {
        const float x = static_cast<float>(i) * 1e-4F;
        worst = std::max(worst, std::abs(static_cast<double>(float_exp(x)) / std::exp(static_cast<double>(x)) - 1));
    }
    CHECK(worst < 1.2e-7);
    CHECK(float_exp(0) == 1);
}

TEST_CASE("the exponential of what is far below is 0, and that of what is far above is finite") {
    CHECK(float_exp(-87.8F) == 0);
    CHECK(float_exp(-1e30F) == 0);
    CHECK(float_exp(-std::numeric_limits<float>::infinity()) == 0);
    CHECK(float_exp(1e30F) == float_exp(88));
}

TEST_CASE("the bits of both are the same on every machine") {
    // Computed once; whatever rounds differently (contraction, reordering, other precision) shows here.
    CHECK(std::bit_cast<std::uint32_t>(float_log(0.1F)) == 0xc0135d8e);
    CHECK(std::bit_cast<std::uint32_t>(float_log(0.7F)) == 0xbeb69e1a);
    CHECK(std::bit_cast<std::uint32_t>(float_log(12345.678F)) == 0x4116bcab);
    CHECK(std::bit_cast<std::uint32_t>(float_exp(0.1F)) == 0x3f8d763e);
    CHECK(std::bit_cast<std::uint32_t>(float_exp(-0.7F)) == 0x3efe406e);
    CHECK(std::bit_cast<std::uint32_t>(float_exp(-54.321F)) == 0x18464693);
}
