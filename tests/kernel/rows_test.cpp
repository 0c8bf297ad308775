// Rows on their way: pack, unpack, combine, residual.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.hpp"
#include "kernel/devices.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

using Numbers = std::vector<float>;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Some order of 0 .. n - 1.
std::vector<std::int32_t> permutation(std::uint64_t seed, std::int64_t n) {
    RandomStream random(stream_key(seed, 94), 0);
    std::vector<std::int32_t> p(index(n));
    std::iota(p.begin(), p.end(), 0);
    for (std::size_t i = p.size(); i > 1; --i) std::swap(p[i - 1], p[random.below(static_cast<std::uint32_t>(i))]);
    return p;
}
std::vector<std::int32_t> inverse(const std::vector<std::int32_t>& p) {
    std::vector<std::int32_t> q(p.size());
    for (std::size_t i = 0; i < p.size(); ++i) q[index(p[i])] = static_cast<std::int32_t>(i);
    return q;
}

float stored(Scalar scalar, float x) { return scalar == Scalar::bf16 ? static_cast<float>(bfloat16(x)) : x; }

struct Compressed {
    std::vector<float> codes, scales;
};

// By the definition in kernels/dispatch.hpp.
Compressed compressed(const float* row, std::int64_t cols, ScaleBlock block) {
    Compressed c{Numbers(index(cols)), Numbers(index(scale_columns(cols, block)))};
    const std::int64_t length = block == ScaleBlock::row ? std::max<std::int64_t>(cols, 1) : 128;
    for (std::int64_t b = 0; b < scale_columns(cols, block); ++b) {
        float most = 0x1p-100F;
        for (std::int64_t i = b * length; i < std::min(cols, (b + 1) * length); ++i)
            if (std::abs(row[i]) > most) most = std::abs(row[i]);
        c.scales[index(b)] = most / 448;
        for (std::int64_t i = b * length; i < std::min(cols, (b + 1) * length); ++i)
            c.codes[index(i)] = static_cast<float>(float8_e4m3(row[i] * (448 / most)));
    }
    return c;
}

const std::vector<std::pair<std::int64_t, std::int64_t>> shapes = {{0, 7},   {1, 1},   {3, 0},     {5, 17},   {9, 64},
                                                                   {4, 127}, {3, 129}, {6, 1'300}, {2, 4'096}};

}  // namespace

TEST_CASE("packed rows are the tokens' rows, and unpacking puts them back") {
    for (const auto& device : devices())
        for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
            for (const auto& [tokens, cols] : shapes)
                for (const std::int64_t width : {1, 3}) {
                    INFO(device.name << ": " << tokens << " x " << cols << ", " << width << " places");
                    const Numbers x = normal_numbers(3, tokens * cols, scalar);
                    const Matrix table = device.matrix(scalar, tokens, cols, x);
                    const std::int64_t choices = tokens * width;
                    auto choice = permutation(5, choices);
                    auto slot = inverse(choice);
                    Numbers before(index((choices + 2) * cols), 7.0F), expected = before;
                    for (std::int64_t s = 0; s < choices; ++s)
                        std::copy_n(x.begin() + choice[index(s)] / width * cols, cols, expected.begin() + s * cols);
                    // Slots without a choice, and with one that is no token's, are left alone.
                    choice.push_back(-1);
                    choice.push_back(static_cast<std::int32_t>(choices));
                    Matrix packed = device.matrix(scalar, choices + 2, cols, before);
                    device.operations().pack(*device.stream, table.view(), device.array(choice).view(), width,
                                             packed.view());
                    REQUIRE(same_bits(device.host(packed), expected));

                    // Back, with a choice that no row came back for.
                    Numbers restored(index(choices * cols));
                    for (std::int64_t c = 0; c < choices; ++c)
                        std::copy_n(x.begin() + c / width * cols, cols, restored.begin() + c * cols);
                    if (choices > 0) {
                        slot[0] = choices % 2 == 0 ? -1 : static_cast<std::int32_t>(choices) + 2;
                        std::fill_n(restored.begin(), cols, 0.0F);
                    }
                    Matrix out = device.matrix(scalar, choices, cols, Numbers(index(choices * cols), 3.0F));
                    device.operations().unpack(*device.stream, ConstMatrixView(packed.view()),
                                               device.array(slot).view(), out.view());
                    REQUIRE(same_bits(device.host(out), restored));
                }
}

TEST_CASE("compressed rows have the bits of their definition and are as near as it says") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const auto& device : devices())
        for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
            for (const ScaleBlock block : {ScaleBlock::row, ScaleBlock::columns_128})
                for (const auto& [tokens, cols] : shapes)
                    for (const bool special : {false, true}) {
                        INFO(device.name << ": " << tokens << " x " << cols << " " << name(scalar) << special);
                        Numbers x = normal_numbers(6, tokens * cols, scalar);
                        for (std::size_t i = 0; i < x.size(); ++i)
                            x[i] = stored(scalar, x[i] * std::exp2(static_cast<float>(i % 9)));
                        if (special)
                            for (std::size_t i = 0; i < x.size(); i += 5)
                                x[i] = std::array{0.0F, -0.0F, 1e-38F, 3e38F, infinity, std::nanf("")}[i % 6];
                        for (float& v : x) v = stored(scalar, v);
                        const Matrix table = device.matrix(scalar, tokens, cols, x);
                        const auto choice = permutation(8, tokens);
                        const std::int64_t blocks = scale_columns(cols, block);
                        Matrix codes(*device.backend, Scalar::fp8_e4m3, tokens, cols);
                        Matrix scales(*device.backend, Scalar::fp32, tokens, blocks);
                        device.operations().pack(*device.stream, table.view(), device.array(choice).view(), 1,
                                                 {codes.view(), block, scales.view()});
                        Matrix out(*device.backend, scalar, tokens, cols);
                        device.operations().unpack(*device.stream, {codes.view(), block, scales.view()},
                                                   device.array(inverse(choice)).view(), out.view());
                        const Numbers got_codes = device.host(codes), got_scales = device.host(scales),
                                      restored = device.host(out);
                        for (std::int64_t s = 0; s < tokens; ++s) {
                            const std::int64_t t = choice[index(s)];
                            const auto expected = compressed(x.data() + t * cols, cols, block);
                            REQUIRE(same_bits({got_codes.begin() + s * cols, got_codes.begin() + (s + 1) * cols},
                                              expected.codes));
                            REQUIRE(same_bits({got_scales.begin() + s * blocks, got_scales.begin() + (s + 1) * blocks},
                                              expected.scales));
                            Numbers back(index(cols));
                            for (std::int64_t i = 0; i < cols; ++i) {
                                const float scale = expected.scales[index(block == ScaleBlock::row ? 0 : i / 128)];
                                back[index(i)] = stored(scalar, expected.codes[index(i)] * scale);
                                if (special) continue;
                                const double original = x[index(t * cols + i)], error = back[index(i)] - original;
                                const double last = scalar == Scalar::bf16 ? std::abs(original) * 0x1.2p-8 : 0;
                                const double most = 448.0 * scale;
                                REQUIRE(std::abs(error) <= most / 28 * (1 + 0x1p-18) + last);
                                if (std::abs(original) > most / 16384)
                                    REQUIRE(std::abs(error) <= std::abs(original) / 16 * (1 + 0x1p-18) + last);
                            }
                            REQUIRE(same_bits({restored.begin() + t * cols, restored.begin() + (t + 1) * cols}, back));
                        }
                    }
}

TEST_CASE("scales may lie behind the values of each row") {
    for (const auto& device : devices()) {
        constexpr std::int64_t rows = 5, cols = 256, row_bytes = cols + 16;  // two scales, and as much again of nothing
        const Numbers x = normal_numbers(6, rows * cols);
        const Matrix table = device.matrix(Scalar::fp32, rows, cols, x);
        Array<std::uint8_t> buffer(*device.backend, rows * row_bytes);
        std::uint8_t* const data = buffer.view().data;
        const PackedView packed(MatrixView(data, Scalar::fp8_e4m3, rows, cols, row_bytes), ScaleBlock::columns_128,
                                MatrixView(data + cols, Scalar::fp32, rows, 2, row_bytes / 4));
        const auto in_order = device.array(std::vector<std::int32_t>{0, 1, 2, 3, 4});
        device.operations().pack(*device.stream, table.view(), in_order.view(), 1, packed);
        Matrix out(*device.backend, Scalar::fp32, rows, cols);
        device.operations().unpack(*device.stream, packed, in_order.view(), out.view());
        const Numbers back = device.host(out);
        for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(back[i] == Approx(x[i]).epsilon(0.07).margin(0.01));
    }
}

namespace {

// Results [choice][col] at their slots, rows without a choice holding noise, as a rank that sorted them sees them.
Numbers combine_on(const Device& device, Scalar scalar, const Numbers& results, const Numbers& weights,
                   const std::vector<std::int32_t>& slot, std::int64_t rows, std::int64_t tokens, std::int64_t cols) {
    Numbers in_slots(index(rows * cols), -99.0F);
    for (std::size_t c = 0; c < slot.size(); ++c)
        if (slot[c] >= 0 && slot[c] < rows)
            std::copy_n(results.begin() + static_cast<std::ptrdiff_t>(c) * cols, cols,
                        in_slots.begin() + slot[c] * cols);
    const Matrix table = device.matrix(scalar, rows, cols, in_slots);
    Matrix out(*device.backend, scalar, tokens, cols);
    device.operations().combine(*device.stream, table.view(), device.array(slot).view(), device.array(weights).view(),
                                out.view());
    return device.host(out);
}

}  // namespace

TEST_CASE("combined rows are sums in the order of places, the same bits wherever the rows lie") {
    for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
        for (const auto& [tokens, cols] : shapes)
            for (const std::int64_t width : {1, 2, 8}) {
                INFO(tokens << " x " << cols << " " << name(scalar) << ", " << width << " places");
                const std::int64_t choices = tokens * width;
                const Numbers results = normal_numbers(21, choices * cols, scalar),
                              weights = normal_numbers(22, choices);
                // Every seventh choice went nowhere.
                const auto present = [](std::int64_t c) { return c % 7 != 5; };
                Numbers expected(index(tokens * cols));
                for (std::int64_t t = 0; t < tokens; ++t)
                    for (std::int64_t j = 0; j < cols; ++j) {
                        float sum = 0;
                        double exact = 0, magnitudes = 0;
                        for (std::int64_t c = t * width; c < (t + 1) * width; ++c) {
                            if (!present(c)) continue;
                            const float w = weights[index(c)], r = results[index(c * cols + j)];
                            const float product = w * r;
                            sum = sum + product;
                            exact += static_cast<double>(w) * r;
                            magnitudes += std::abs(static_cast<double>(w) * r);
                        }
                        expected[index(t * cols + j)] = stored(scalar, sum);
                        const double last = scalar == Scalar::bf16 ? std::abs(exact) * 0x1p-8 : 0;
                        REQUIRE(std::abs(expected[index(t * cols + j)] - exact) <=
                                magnitudes * static_cast<double>(width + 1) * 0x1p-23 + last);
                    }
                for (const auto& device : devices())
                    for (std::uint64_t placement = 0; placement < 3; ++placement) {
                        auto slot = permutation(placement, choices);
                        for (std::int64_t c = 0; c < choices; ++c)
                            if (!present(c))
                                slot[index(c)] = placement == 0 ? -1 : static_cast<std::int32_t>(choices + 3);
                        REQUIRE(same_bits(combine_on(device, scalar, results, weights, slot, choices, tokens, cols),
                                          expected));
                    }
            }
}

TEST_CASE("without slots, results are in the order of choices") {
    for (const auto& device : devices()) {
        constexpr std::int64_t tokens = 5, width = 2, cols = 40;
        const Numbers results = normal_numbers(31, tokens * width * cols), weights = normal_numbers(32, tokens * width);
        std::vector<std::int32_t> slot(index(tokens * width));
        std::iota(slot.begin(), slot.end(), 0);
        const auto expected = combine_on(device, Scalar::fp32, results, weights, slot, tokens * width, tokens, cols);
        const Matrix table = device.matrix(Scalar::fp32, tokens * width, cols, results);
        Matrix out(*device.backend, Scalar::fp32, tokens, cols);
        device.operations().combine(*device.stream, table.view(), {}, device.array(weights).view(), out.view());
        REQUIRE(same_bits(device.host(out), expected));
    }
}

TEST_CASE("the residual is a sum, in place too") {
    for (const auto& device : devices())
        for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
            for (const auto& [rows, cols] : shapes) {
                const Numbers a = normal_numbers(51, rows * cols, scalar), b = normal_numbers(52, rows * cols, scalar);
                Numbers expected(a.size());
                for (std::size_t i = 0; i < a.size(); ++i) expected[i] = stored(scalar, a[i] + b[i]);
                Matrix first = device.matrix(scalar, rows, cols, a);
                const Matrix second = device.matrix(scalar, rows, cols, b);
                Matrix out(*device.backend, scalar, rows, cols);
                device.operations().add_residual(*device.stream, first.view(), second.view(), out.view());
                REQUIRE(same_bits(device.host(out), expected));
                device.operations().add_residual(*device.stream, first.view(), second.view(), first.view());
                REQUIRE(same_bits(device.host(first), expected));
            }
}
