#pragma once
// The inner loops, compiled once for each level of vector instructions (code.cpp); a backend picks the best table that
// its machine can run. All of them round alike, but for gemm, which fuses products and sums where the level has that.
#include <cstdint>
#include <limits>

#include "base/ids.hpp"
#include "kernels/rounding.hpp"
#include "kernels/scalar.hpp"
#include "kernels/selection.hpp"

namespace moesim::kernels {

// Up to so many, several tokens are selected at once.
inline constexpr std::int64_t most_experts_together = 512, most_groups_together = 32;

// Memory for selections, in floats; a thread has its own.
constexpr std::int64_t padded(std::int64_t experts) { return (experts + 31) / 32 * 32; }
constexpr std::int64_t selection_scratch(std::int64_t experts) {
    constexpr std::int64_t most_tokens = 16;
    return (experts <= most_experts_together ? 4 * most_tokens : 7) * padded(experts);
}

// How many rows a product has so that a row's sums are the same whatever the other rows are (gemm.hpp says why). What
// is more than `rows` may be any numbers.
constexpr std::int64_t product_rows(std::int64_t rows, std::int64_t depth) {
    constexpr std::int64_t at_once = 4, least_numbers = 257;
    const std::int64_t least = depth > 0 ? (least_numbers + depth - 1) / depth : 1;
    return ((rows < least ? least : rows) + at_once - 1) / at_once * at_once;
}

inline constexpr std::int64_t most_thin_rows = 4;

// Attention takes so many keys at once.
inline constexpr std::int64_t attention_tile = 128;
// Of the scores of a query so far: the largest one, and the sum of exp(score - largest).
struct SoftmaxSoFar {
    float largest = -std::numeric_limits<float>::infinity();
    float sum = 0;
};

struct VectorCode {
    // A row each. `past_caches`: by stores that leave the caches alone, for what is too large to be found there again.
    // `next`: what is read next after this row, so that its way from memory begins early; rows are anywhere, which no
    // processor foresees.
    void (*copy)(const void* from, const void* next, std::int64_t bytes, void* to, bool past_caches);
    // Arrays of two are [fp32, bf16]: as Scalar counts.
    void (*compress[2])(const void* from, const void* next, std::int64_t cols, std::int64_t block, std::uint8_t* codes,
                        float* scales);
    void (*expand[2])(const std::uint8_t* codes, const void* next, const float* scales, std::int64_t cols,
                      std::int64_t block, void* to, bool past_caches);
    // to = +0 + weights[0] * rows[0] + weights[1] * rows[1] ..., in this order. rows[count + i] is what comes
    // after rows[i].
    void (*combine[2])(const void* const* rows, const float* weights, std::int64_t count, std::int64_t cols, void* to,
                       bool past_caches);
    void (*add[2])(const void* a, const void* b, std::int64_t cols, void* to, bool past_caches);
    void (*round_products[2])(float weight, const Grid& grid, std::int64_t cols, void* row);

    void (*widen)(const std::uint16_t* bf16, std::int64_t count, float* to);
    void (*narrow)(const float* from, std::int64_t count, std::uint16_t* bf16);
    void (*round_to_bf16)(float* values, std::int64_t count);
    void (*swiglu)(const float* gate, const float* up, std::int64_t count, float* to);
    void (*gelu)(float* values, std::int64_t count);

    // c[i][j] = (accumulate ? c[i][j] : 0) + sum over h of a[i][h] b[j][h]; rows lie a_stride, ... floats apart. Where
    // m = product_rows(m, k), the bits of c[i] depend on those of a[i], b, n and k alone, not on m, i or the machine.
    void (*gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t a_stride, const float* b,
                 std::int64_t b_stride, float* c, std::int64_t c_stride, bool accumulate);

    // The same, faster for m of 1 to most_thin_rows, without asking for more rows, and for the first of the outputs
    // only: returns how many.
    std::int64_t (*thin_gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t a_stride,
                              const float* b, std::int64_t b_stride, float* c, std::int64_t c_stride, bool accumulate);
    // The same as gemm with b[h][j]: c[i][j] += sum over h of a[i][h] b[h][j]. Rows of b have no gaps where n = 1.
    void (*gemm_by_rows)(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t a_stride,
                         const float* b, std::int64_t b_stride, float* c, std::int64_t c_stride);

    // Takes in attention_tile more scores, of which `seen` are times `scale` what a query is interested in, the others
    // nothing; at least one. They become exp(score - largest); returns by what all sums so far have to be multiplied.
    float (*softmax_step)(float* scores, std::int64_t seen, float scale, SoftmaxSoFar* so_far);
    void (*multiply_by)(float factor, float* x, std::int64_t count);

    // selection.hpp, for the tokens of a table of logits; scratch is of selection_scratch(experts).
    void (*select)(const Selection& selection, Rows<const float> logits, ExpertIndex* experts, float* weights,
                   float* scratch);
    // Step 2 of selection.hpp alone, 0 for what cannot be chosen: scores [expert] of one token.
    void (*scores)(Score score, const float* logits, std::int64_t experts, float* scores, float* scratch);
};

// Levels as make_cpu_backend has them; 3 and 4 are there where MOESIM_X86_LEVELS is defined.
const VectorCode* vector_code_1();
const VectorCode* vector_code_3();
const VectorCode* vector_code_4();

}  // namespace moesim::kernels
