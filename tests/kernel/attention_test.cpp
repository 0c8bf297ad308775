// Attention against double precision, and what a token's result may depend on.
#include <algorithm>
#include <cmath>

#include "kernel/devices.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

using Numbers = std::vector<float>;
using Begins = std::vector<std::int64_t>;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// One table of queries, keys and values side by side, each part beginning at a multiple of 16 bytes, and the context.
struct Input {
    AttentionRules rules;
    Scalar scalar = Scalar::fp32;
    Begins begins;
    std::int64_t context = 0;
    Numbers qkv, context_k, context_v;

    [[nodiscard]] std::int64_t q_cols() const { return rules.heads * rules.dim; }
    [[nodiscard]] std::int64_t kv_cols() const { return rules.kv_heads * rules.dim; }
    [[nodiscard]] std::int64_t k_begin() const { return (q_cols() + 7) / 8 * 8; }
    [[nodiscard]] std::int64_t v_begin() const { return k_begin() + (kv_cols() + 7) / 8 * 8; }
    [[nodiscard]] std::int64_t cols() const { return v_begin() + kv_cols(); }
};

Input make_input(const AttentionRules& rules, Scalar scalar, const Begins& begins, std::int64_t context) {
    Input in{rules, scalar, begins, context, {}, {}, {}};
    const auto sequences = static_cast<std::int64_t>(begins.size()) - 1;
    in.qkv = normal_numbers(51, begins.back() * in.cols(), scalar);
    in.context_k = normal_numbers(52, sequences * context * in.kv_cols(), scalar);
    in.context_v = normal_numbers(53, sequences * context * in.kv_cols(), scalar);
    return in;
}

Numbers attention_on(const Device& device, const Input& in) {
    const Matrix table = device.matrix(in.scalar, in.begins.back(), in.cols(), in.qkv);
    const auto earlier = static_cast<std::int64_t>(in.begins.size() - 1) * in.context;
    const Matrix context_k = device.matrix(in.scalar, earlier, in.kv_cols(), in.context_k),
                 context_v = device.matrix(in.scalar, earlier, in.kv_cols(), in.context_v);
    Matrix out(*device.backend, in.scalar, in.begins.back(), in.q_cols());
    const auto columns = [&](std::int64_t begin, std::int64_t count) {
        const ConstMatrixView all = table.view();
        const char* const data = static_cast<const char*>(all.data);
        return ConstMatrixView(data == nullptr ? data : data + begin * bytes_of(in.scalar), in.scalar, all.rows, count,
                               all.stride);
    };
    device.operations().attention(*device.stream, in.rules,
                                  {columns(0, in.q_cols()), columns(in.k_begin(), in.kv_cols()),
                                   columns(in.v_begin(), in.kv_cols()), in.begins, context_k.view(), context_v.view()},
                                  out.view());
    return device.host(out);
}

// Requires one token's head to be what the definition says. With scores known within e and weights' own arithmetic
// within 1e-6, a weight is within exp(2 e) (1 + 4e-6) of itself, relatively; sums of n numbers add n 2^-23.
void require_token(const Input& in, std::int64_t sequence, std::int64_t position, std::int64_t head,
                   const Numbers& found) {
    const AttentionRules& rules = in.rules;
    const std::int64_t first = in.begins[index(sequence)], length = in.begins[index(sequence + 1)] - first,
                       dim = rules.dim, kv_head = head / (rules.heads / rules.kv_heads),
                       seen = in.context + (rules.causal ? position + 1 : length);
    const auto key = [&](const Numbers& of_context, std::int64_t column, std::int64_t j) {
        return j < in.context ? of_context.data() + (sequence * in.context + j) * in.kv_cols() + kv_head * dim
                              : in.qkv.data() + (first + j - in.context) * in.cols() + column + kv_head * dim;
    };
    const float* const q = in.qkv.data() + (first + position) * in.cols() + head * dim;
    std::vector<double> scores;
    double error = 0, sum = 0;
    for (std::int64_t j = 0; j < seen; ++j) {
        double score = 0, magnitudes = 0;
        for (std::int64_t d = 0; d < dim; ++d) {
            const double product = static_cast<double>(q[d]) * key(in.context_k, in.k_begin(), j)[d];
            score += product;
            magnitudes += std::abs(product);
        }
        scores.push_back(score * rules.scale);
        error = std::max(error, static_cast<double>(dim + 2) * 0x1p-23 * magnitudes * std::abs(rules.scale));
    }
    const double largest = *std::max_element(scores.begin(), scores.end());
    for (double& s : scores) sum += s = std::exp(s - largest);
    for (std::int64_t d = 0; d < dim; ++d) {
        double value = 0, magnitudes = 0;
        for (std::int64_t j = 0; j < seen; ++j) {
            const double part = scores[index(j)] / sum * key(in.context_v, in.v_begin(), j)[d];
            value += part;
            magnitudes += std::abs(part);
        }
        double bound = (std::expm1(4 * error) + 8e-6 + static_cast<double>(seen + 8) * 0x1p-22) * magnitudes;
        if (in.scalar == Scalar::bf16) bound += 0x1p-8 * (std::abs(value) + bound);
        const float there = found[index((first + position) * in.q_cols() + head * dim + d)];
        INFO("sequence " << sequence << ", token " << position << ", head " << head << ", column " << d << ": " << there
                         << ", expected " << value << " within " << bound);
        REQUIRE(std::abs(there - value) <= bound);
    }
}

}  // namespace

// Two tokens with one number each, q = 1, 1, k = 0, ln 3, v = 4, 8: the first sees itself, the second weighs 1/4 and
// 3/4, which gives 7; all seen by all, both give 7.
TEST_CASE("attention by hand") {
    const auto ln3 = static_cast<float>(std::log(3.0));
    Input in = make_input({1, 1, 1, true, 1}, Scalar::fp32, {0, 2}, 0);
    in.qkv[0] = in.qkv[index(in.cols())] = 1;
    in.qkv[index(in.k_begin())] = 0;
    in.qkv[index(in.cols() + in.k_begin())] = ln3;
    in.qkv[index(in.v_begin())] = 4;
    in.qkv[index(in.cols() + in.v_begin())] = 8;
    for (const auto& device : devices()) {
        in.rules.causal = true;
        const Numbers causal = attention_on(device, in);
        CHECK(causal[0] == 4);
        CHECK(causal[1] == Approx(7).epsilon(1e-6));
        in.rules.causal = false;
        const Numbers full = attention_on(device, in);
        CHECK(full[0] == Approx(7).epsilon(1e-6));
        CHECK(full[1] == Approx(7).epsilon(1e-6));
    }
}

TEST_CASE("attention is within a bound of double precision") {
    struct Case {
        AttentionRules rules;
        Begins begins;
        std::int64_t context;
    };
    const std::vector<Case> cases = {{{2, 1, 8, true, 0.3F}, {0}, 0},
                                     {{1, 1, 1, true, 1}, {0, 1}, 0},
                                     {{6, 2, 5, true, 0.5F}, {0, 3, 3, 40, 41}, 0},
                                     {{4, 4, 33, false, 0.2F}, {0, 35, 36}, 3},
                                     {{8, 2, 64, true, 0.125F}, {0, 1, 2, 3}, 131},
                                     {{3, 1, 100, true, 0.1F}, {0, 150}, 0},
                                     {{70, 1, 4, true, -2}, {0, 2}, 1},
                                     {{2, 2, 256, true, 0.0625F}, {0, 9}, 30}};
    for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
        for (const Case& c : cases) {
            const Input in = make_input(c.rules, scalar, c.begins, c.context);
            for (const auto& device : devices()) {
                INFO(device.name << ", " << name(scalar) << ", " << c.rules.heads << " heads of " << c.rules.dim);
                const Numbers found = attention_on(device, in);
                for (std::size_t s = 0; s + 1 < c.begins.size(); ++s)
                    for (std::int64_t t = 0; t < c.begins[s + 1] - c.begins[s]; t += t < 3 ? 1 : 7)
                        for (std::int64_t h = 0; h < c.rules.heads; h += 3)
                            require_token(in, static_cast<std::int64_t>(s), t, h, found);
            }
        }
}

TEST_CASE("many sequences, more than one launch takes") {
    Begins begins = {0};
    for (std::int64_t s = 0; s < 300; ++s) begins.push_back(begins.back() + s % 2);
    const Input in = make_input({2, 1, 3, true, 1}, Scalar::fp32, begins, 2);
    for (const auto& device : devices()) {
        const Numbers found = attention_on(device, in);
        for (std::int64_t s = 1; s < 300; s += 22) require_token(in, s, 0, 1, found);
    }
}

// What a token sees is the same: alone with all before it as context, among others, or behind other sequences.
TEST_CASE("a token's bits depend on what it sees alone") {
    const AttentionRules rules{6, 2, 20, true, 0.2F};
    for (const Scalar scalar : {Scalar::fp32, Scalar::bf16}) {
        const Input whole = make_input(rules, scalar, {0, 150}, 0);
        const std::int64_t cols = whole.cols(), kv = whole.kv_cols(), out = whole.q_cols();
        for (const auto& device : devices()) {
            INFO(device.name);
            const Numbers together = attention_on(device, whole);
            for (const std::int64_t split : {1, 7, 128, 149}) {
                Input rest = whole;  // tokens from `split` on, those before as context
                rest.begins = {0, 150 - split};
                rest.context = split;
                rest.qkv.erase(rest.qkv.begin(), rest.qkv.begin() + split * cols);
                for (std::int64_t t = 0; t < split; ++t)
                    for (std::int64_t c = 0; c < kv; ++c) {
                        rest.context_k.push_back(whole.qkv[index(t * cols + whole.k_begin() + c)]);
                        rest.context_v.push_back(whole.qkv[index(t * cols + whole.v_begin() + c)]);
                    }
                CHECK(same_bits(attention_on(device, rest), {together.begin() + split * out, together.end()}));
            }
            Input behind = whole;  // the first 60 tokens, behind a sequence of 90
            behind.begins = {0, 90, 150};
            std::rotate(behind.qkv.begin(), behind.qkv.begin() + 60 * cols, behind.qkv.end());
            const Numbers found = attention_on(device, behind);
            CHECK(same_bits({found.begin() + 90 * out, found.end()}, {together.begin(), together.begin() + 60 * out}));
        }
    }
}
