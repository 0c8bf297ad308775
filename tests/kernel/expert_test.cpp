// Products of matrices against double precision, within bounds that follow from how often each number is rounded.
#include <algorithm>
#include <cmath>

#include "kernel/devices.hpp"
#include "kernels/cuda/product.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

using Numbers = std::vector<float>;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// A value and how far a computed one may be from it.
struct Bounded {
    double value = 0, error = 0;
};
using BoundedRow = std::vector<Bounded>;

constexpr double unit = 0x1p-24;
double storage_unit(Scalar scalar) { return scalar == Scalar::bf16 ? 0x1p-8 : unit; }

// Sum of a[h] w[h] in fp32 in any order, fused or not (Higham, Accuracy and Stability of Numerical Algorithms, 3.1),
// the a being known as well as they are bounded.
Bounded dot(const BoundedRow& a, const float* w) {
    Bounded sum;
    double magnitudes = 0;
    for (std::size_t h = 0; h < a.size(); ++h) {
        sum.value += a[h].value * w[h];
        sum.error += a[h].error * std::abs(static_cast<double>(w[h]));
        magnitudes += (std::abs(a[h].value) + a[h].error) * std::abs(static_cast<double>(w[h]));
    }
    sum.error += static_cast<double>(a.size() + 2) * unit * (1 + 0x1p-6) * magnitudes;
    return sum;
}
Bounded stored(Bounded x, Scalar scalar) {
    x.error += storage_unit(scalar) * 1.01 * (std::abs(x.value) + x.error);
    return x;
}

struct Adapter {
    std::int64_t rank = 0;
    float scale = 0.5F;
    Numbers a, b;
};
// Expert weights in the host's memory.
struct Weights {
    Activation activation = Activation::swiglu;
    std::int64_t groups = 1, hidden = 0, inner = 0;
    bool shared = false;  // the frozen matrices are those of all groups
    Numbers gate_up, down;
    Adapter first, second;
    [[nodiscard]] std::int64_t outputs() const { return activation == Activation::swiglu ? 2 * inner : inner; }
};

Weights make_weights(std::uint64_t seed, Scalar scalar, Activation activation, std::int64_t groups, std::int64_t hidden,
                     std::int64_t inner, std::int64_t rank, bool shared) {
    Weights w{activation, groups, hidden, inner, shared, {}, {}, {}, {}};
    const std::int64_t experts = shared ? 1 : groups;
    w.gate_up = normal_numbers(seed, experts * w.outputs() * hidden, scalar);
    w.down = normal_numbers(seed + 1, experts * hidden * inner, scalar);
    if (rank > 0) {
        w.first = {rank, 0.5F, normal_numbers(seed + 2, groups * rank * hidden, scalar),
                   normal_numbers(seed + 3, groups * w.outputs() * rank, scalar)};
        w.second = {rank, 2.0F, normal_numbers(seed + 4, groups * rank * inner, scalar),
                    normal_numbers(seed + 5, groups * hidden * rank, scalar)};
    }
    return w;
}

// Output `o` of group g's expert, adapter included.
BoundedRow project(const BoundedRow& x, const Numbers& table, const Adapter& adapter, std::int64_t outputs,
                   std::int64_t group, bool shared, Scalar scalar) {
    const auto in = static_cast<std::int64_t>(x.size());
    BoundedRow adapted;
    for (std::int64_t i = 0; i < adapter.rank; ++i) {
        Bounded t = stored(dot(x, adapter.a.data() + (group * adapter.rank + i) * in), scalar);
        adapted.push_back({t.value * adapter.scale, (t.error + unit * std::abs(t.value)) * adapter.scale});
    }
    BoundedRow y;
    for (std::int64_t o = 0; o < outputs; ++o) {
        Bounded sum = dot(x, table.data() + ((shared ? 0 : group * outputs) + o) * in);
        if (adapter.rank > 0) {
            const Bounded more = dot(adapted, adapter.b.data() + (group * outputs + o) * adapter.rank);
            sum = {sum.value + more.value,
                   sum.error + more.error + unit * 2 * (std::abs(sum.value) + std::abs(more.value))};
        }
        y.push_back(sum);
    }
    return y;
}

double silu(double z) { return z / (1 + std::exp(-z)); }
double gelu(double z) { return z / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (z + 0.044715 * z * z * z))); }

// Slopes of both functions are below 1.13; their own arithmetic is within 1e-6 of them, but for the cube's rounding,
// which counts where the function is near 0.
Bounded activated(Activation activation, const Bounded& gate, const Bounded& up) {
    if (activation == Activation::gelu)
        return {gelu(up.value), 1.13 * up.error + 4e-6 * (std::abs(up.value) + up.error)};
    const double s = silu(gate.value), s_error = 1.13 * gate.error + 1e-6 * (std::abs(gate.value) + gate.error);
    return {s * up.value,
            (std::abs(s) + s_error) * up.error + s_error * std::abs(up.value) + 1e-6 * std::abs(s * up.value)};
}

BoundedRow forward(const Weights& w, const float* x, std::int64_t group, Scalar scalar) {
    BoundedRow row;
    for (std::int64_t h = 0; h < w.hidden; ++h) row.push_back({x[h], 0});
    const BoundedRow first = project(row, w.gate_up, w.first, w.outputs(), group, w.shared, scalar);
    BoundedRow inner;
    for (std::int64_t i = 0; i < w.inner; ++i) {
        const Bounded& up = first[index(w.activation == Activation::swiglu ? w.inner + i : i)];
        inner.push_back(stored(activated(w.activation, first[index(i)], up), scalar));
    }
    BoundedRow y = project(inner, w.down, w.second, w.hidden, group, w.shared, scalar);
    for (Bounded& v : y) v = stored(v, scalar);
    return y;
}

Numbers forward_on(const Device& device, Scalar scalar, const Weights& w, const Numbers& x,
                   const std::vector<std::int64_t>& group_begin) {
    const std::int64_t rows = group_begin.back(), experts = w.shared ? 1 : w.groups;
    const Matrix input = device.matrix(scalar, rows, w.hidden, x);
    const Matrix gate_up = device.matrix(scalar, experts * w.outputs(), w.hidden, w.gate_up);
    const Matrix down = device.matrix(scalar, experts * w.hidden, w.inner, w.down);
    const auto table = [&](std::int64_t n, std::int64_t cols, const Numbers& from) {
        return device.matrix(scalar, from.empty() ? 0 : n, cols, from);
    };
    const Matrix a1 = table(w.groups * w.first.rank, w.hidden, w.first.a);
    const Matrix b1 = table(w.groups * w.outputs(), w.first.rank, w.first.b);
    const Matrix a2 = table(w.groups * w.second.rank, w.inner, w.second.a);
    const Matrix b2 = table(w.groups * w.hidden, w.second.rank, w.second.b);
    Matrix out(*device.backend, scalar, rows, w.hidden);
    device.operations().expert_forward(*device.stream, input.view(), group_begin,
                                       {w.activation,
                                        gate_up.view(),
                                        down.view(),
                                        {a1.view(), b1.view(), w.first.scale},
                                        {a2.view(), b2.view(), w.second.scale}},
                                       out.view());
    return device.host(out);
}

void require_within(const Numbers& found, std::size_t at, const BoundedRow& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO("number " << i << ": " << found[at + i] << ", expected " << expected[i].value << " within "
                       << expected[i].error);
        REQUIRE(std::abs(found[at + i] - expected[i].value) <= expected[i].error);
    }
}

void check_forward(Scalar scalar, const Weights& w, const std::vector<std::int64_t>& group_begin) {
    INFO(name(scalar) << ", " << w.groups << " groups, " << group_begin.back() << " rows of " << w.hidden << ", inner "
                      << w.inner << ", rank " << w.first.rank << ", gelu " << (w.activation == Activation::gelu));
    const Numbers x = normal_numbers(71, group_begin.back() * w.hidden, scalar);
    std::vector<BoundedRow> expected;
    for (std::int64_t g = 0; g < w.groups; ++g)
        for (std::int64_t r = group_begin[index(g)]; r < group_begin[index(g) + 1]; ++r)
            expected.push_back(forward(w, x.data() + r * w.hidden, g, scalar));
    for (const auto& device : devices()) {
        INFO(device.name);
        const Numbers found = forward_on(device, scalar, w, x, group_begin);
        for (std::size_t r = 0; r < expected.size(); ++r) require_within(found, r * index(w.hidden), expected[r]);
    }
}

}  // namespace

TEST_CASE("gate logits and dense layers are within the stated bound of double precision") {
    for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
        for (const auto& [rows, outputs, depth] : {std::array<std::int64_t, 3>{0, 4, 8},
                                                   {1, 1, 1},
                                                   {1, 7, 33},
                                                   {5, 1, 40},
                                                   {3, 65, 129},
                                                   {520, 9, 16},
                                                   {2, 1'100, 7},
                                                   {4, 5, 0}}) {
            const Numbers x = normal_numbers(61, rows * depth, scalar), w = normal_numbers(62, outputs * depth, scalar);
            for (const auto& device : devices()) {
                INFO(device.name << ": " << rows << " x " << depth << " x " << outputs);
                const Matrix a = device.matrix(scalar, rows, depth, x), b = device.matrix(scalar, outputs, depth, w);
                Matrix logits(*device.backend, Scalar::fp32, rows, outputs),
                    out(*device.backend, scalar, rows, outputs);
                device.operations().gate_logits(*device.stream, a.view(), b.view(), logits.view());
                device.operations().dense(*device.stream, a.view(), b.view(), out.view());
                const Numbers wide = device.host(logits), found = device.host(out);
                for (std::int64_t r = 0; r < rows; ++r)
                    for (std::int64_t o = 0; o < outputs; ++o) {
                        double sum = 0, magnitudes = 0;
                        for (std::int64_t h = 0; h < depth; ++h) {
                            const double product =
                                static_cast<double>(x[index(r * depth + h)]) * w[index(o * depth + h)];
                            sum += product;
                            magnitudes += std::abs(product);
                        }
                        const double error = static_cast<double>(depth) * unit * (1 + 0x1p-6) * magnitudes;
                        REQUIRE(std::abs(wide[index(r * outputs + o)] - sum) <= error);
                        REQUIRE(std::abs(found[index(r * outputs + o)] - sum) <= stored({sum, error}, scalar).error);
                    }
            }
        }
}

TEST_CASE("experts: ragged groups, both activations, both types") {
    for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
        for (const Activation activation : {Activation::swiglu, Activation::gelu}) {
            const auto weights = [&](std::int64_t groups, std::int64_t hidden, std::int64_t inner) {
                return make_weights(81, scalar, activation, groups, hidden, inner, 0, false);
            };
            check_forward(scalar, weights(1, 1, 1), {0, 1});
            check_forward(scalar, weights(3, 24, 40), {0, 0, 0, 0});
            check_forward(scalar, weights(3, 33, 17), {0, 5, 5, 6});
            check_forward(scalar, weights(4, 16, 21), {0, 0, 0, 13, 13});  // one gets all
            check_forward(scalar, weights(2, 5, 3), {0, 515, 516});        // more rows than a tile has
            check_forward(scalar, weights(1, 530, 521), {0, 2});           // more columns
        }
}

TEST_CASE("experts with adapters, beside their own frozen expert or one that all share") {
    for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
        for (const Activation activation : {Activation::swiglu, Activation::gelu})
            for (const bool shared : {false, true}) {
                check_forward(scalar, make_weights(91, scalar, activation, 3, 20, 31, 1, shared), {0, 2, 2, 7});
                check_forward(scalar, make_weights(92, scalar, activation, 2, 18, 9, 20, shared), {0, 3, 4});
            }
}

TEST_CASE("an expert gives a row the same bits for every number of threads") {
    const Weights w = make_weights(101, Scalar::fp32, Activation::swiglu, 2, 600, 700, 4, false);
    const std::vector<std::int64_t> groups = {0, 30, 600};
    const Numbers x = normal_numbers(102, groups.back() * w.hidden);
    const auto& all = devices();
    for (std::size_t i = 1; i < all.size(); ++i) {
        // Devices of one level follow one another.
        const auto level = [](const Device& d) {
            return d.backend->description().substr(d.backend->description().find(','));
        };
        if (level(all[i]) != level(all[i - 1])) continue;
        REQUIRE(same_bits(forward_on(all[i], Scalar::fp32, w, x, groups),
                          forward_on(all[i - 1], Scalar::fp32, w, x, groups)));
    }
}

TEST_CASE("products that are too small for a GPU one after the other are one launch") {
    // With 132 multiprocessors: 1,024 x 3,072 are 8 x 24 = 192 tiles, 128 x 3,072 are 24, 129 x 1 are 2.
    const auto one_launch = [](std::vector<std::array<std::int64_t, 2>> shapes) {
        std::vector<on_shim::Product> products(shapes.size());
        for (std::size_t i = 0; i < shapes.size(); ++i) {
            products[i].m = shapes[i][0];
            products[i].n = shapes[i][1];
        }
        return on_shim::in_one_launch(products, 132);
    };
    CHECK(!one_launch({}));
    CHECK(!one_launch({{128, 3'072}}));
    CHECK(one_launch({{128, 3'072}, {128, 3'072}}));
    CHECK(!one_launch({{1'024, 3'072}, {1'024, 3'072}}));
    CHECK(one_launch({{1'024, 3'072}, {129, 1}}));                  // 194 tiles of 264
    CHECK(one_launch({{1'024, 3'072}, {1'024, 3'072}, {129, 1}}));  // 386 of 396
    CHECK(!one_launch({{2'048, 3'072}, {129, 1}}));                 // 386 of 264
}
