// Products on a grid, whose sums are exact.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.hpp"
#include "kernel/devices.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

using Numbers = std::vector<float>;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

Numbers rounded_on(const Device& device, Scalar scalar, std::int64_t cols, const Numbers& weights, float step,
                   std::int64_t limit, const Numbers& rows) {
    Matrix table = device.matrix(scalar, static_cast<std::int64_t>(weights.size()), cols, rows);
    const auto factors = device.array(weights);
    device.operations().round_products(*device.stream, factors.view(), step, limit, table.view());
    return device.host(table);
}

// The definition, by the C library's rounding; only the last rounding to the type can change what it gives.
float expected(Scalar scalar, float weight, float x, float step, std::int64_t limit) {
    const double steps = static_cast<double>(weight * x) / step, most = static_cast<double>(limit);
    const double n = std::isnan(steps) ? 0 : std::clamp(std::nearbyint(steps), -most, most);
    const auto value = static_cast<float>((n == 0 ? 0 : n) * step);
    return scalar == Scalar::bf16 ? static_cast<float>(bfloat16(value)) : value;
}

}  // namespace

TEST_CASE("a product goes to the nearest number of the grid, of two to the even one") {
    // Times 1/2, in steps of 1/4 up to 3: 0.25 is half a step, 0.75 one and a half, 1.25 two and a half.
    constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const Numbers x = {0, -0.0F, 0.25F, 0.26F, 0.75F, 1.25F, -0.25F, -0.75F, -1, 5, -5, inf, -inf, nan, 1e-45F, -1e38F};
    const Numbers hand = {0, 0, 0, 0.25F, 0.5F, 0.5F, 0, -0.5F, -0.5F, 0.75F, -0.75F, 0.75F, -0.75F, 0, 0, -0.75F};
    for (const auto& device : devices()) {
        INFO(device.name);
        CHECK(same_bits(rounded_on(device, Scalar::fp32, 16, {0.5F}, 0.25F, 3, x), hand));
    }
}

TEST_CASE("products on a grid are those of the definition, for every type and shape") {
    for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
        for (const auto& [rows, cols] :
             {std::array<std::int64_t, 2>{0, 5}, {3, 0}, {1, 1}, {5, 17}, {9, 64}, {3, 129}, {2, 1'300}})
            for (const auto& [step, limit] :
                 {std::pair<float, std::int64_t>{0x1p-4F, 256}, {0x1p-20F, 1 << 23}, {0x1p-100F, 100}, {0x1p100F, 3}}) {
                const Numbers x = normal_numbers(41, rows * cols, scalar);
                Numbers weights = normal_numbers(42, rows), hand(x.size());
                if (step > 1) std::fill(weights.begin(), weights.end(), step);
                for (std::int64_t r = 0; r < rows; ++r)
                    for (std::int64_t c = 0; c < cols; ++c)
                        hand[index(r * cols + c)] =
                            expected(scalar, weights[index(r)], x[index(r * cols + c)], step, limit);
                for (const auto& device : devices()) {
                    INFO(device.name << ", " << rows << " x " << cols << " in steps of " << step);
                    REQUIRE(same_bits(rounded_on(device, scalar, cols, weights, step, limit, x), hand));
                }
            }
}

// Eight products of at most 32 steps each: 256, which bf16 still holds.
TEST_CASE("sums of rounded products are the same bits in every order and grouping") {
    constexpr std::int64_t tokens = 6, width = 8, cols = 33;
    const std::vector<float> weights = normal_numbers(43, tokens * width), ones(index(tokens * width), 1.0F);
    const Numbers results = normal_numbers(44, tokens * width * cols, Scalar::bf16);
    for (const auto& device : devices()) {
        const Numbers products = rounded_on(device, Scalar::bf16, cols, weights, 0x1p-4F, 32, results);
        const auto sum = [&](const Numbers& rows, std::int64_t places) {
            const Matrix table = device.matrix(Scalar::bf16, tokens * places, cols, rows);
            const auto factors = device.array(ones);
            Matrix out(*device.backend, Scalar::bf16, tokens, cols);
            device.operations().combine(*device.stream, table.view(), {}, factors.view().part(0, tokens * places),
                                        out.view());
            return device.host(out);
        };
        const Numbers together = sum(products, width);
        RandomStream random(stream_key(45, 99), 0);
        for (int order = 0; order < 5; ++order) {
            // Each place of a token goes to one of three ranks, which adds up what it has; then the ranks' sums are.
            Numbers parts(index(tokens * 3 * cols));
            for (std::int64_t t = 0; t < tokens; ++t) {
                std::vector<std::int64_t> places = {0, 1, 2, 3, 4, 5, 6, 7};
                for (std::size_t i = places.size(); i > 1; --i)
                    std::swap(places[i - 1], places[random.below(static_cast<std::uint32_t>(i))]);
                for (const std::int64_t place : places) {
                    const std::int64_t rank = random.below(3);
                    for (std::int64_t c = 0; c < cols; ++c) {
                        float& part = parts[index((t * 3 + rank) * cols + c)];
                        part = static_cast<float>(bfloat16(part + products[index((t * width + place) * cols + c)]));
                    }
                }
            }
            REQUIRE(same_bits(sum(parts, 3), together));
        }
    }
}
