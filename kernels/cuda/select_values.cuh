#pragma once
// The arithmetic of kernels/selection.hpp, a number at a time.
#include "kernels/shim/cuda.hpp"
// First the line above: it defines CUDA's words where nvcc does not compile.
#include <limits>

#include "kernels/cuda/side.hpp"
#include "kernels/exact_math.hpp"
#include "kernels/selection.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr float never = -std::numeric_limits<float>::infinity();  // of what cannot be chosen
inline constexpr float most_float = std::numeric_limits<float>::max();

// Steps 1 and 3: a NaN and -inf cannot be chosen, +inf is the largest float.
__device__ __forceinline__ float usable(float x) { return x >= -most_float ? fminf(x, most_float) : never; }

// What softmax needs to know of a token: its largest logit, and the sum of step 2.
struct Normaliser {
    float above, sum;
};
__device__ __forceinline__ float sigmoid(float logit) { return exact_div(1.0F, exact_add(1.0F, exact_exp(-logit))); }
__device__ __forceinline__ float exponential(float logit, float above) { return exact_exp(exact_sub(logit, above)); }
// Step 2 for a logit that is usable; those of never have no score.
__device__ __forceinline__ float score_of(Score score, float logit, const Normaliser& n) {
    return score == Score::sigmoid ? sigmoid(logit) : exact_div(exponential(logit, n.above), n.sum);
}

// Step 4: of the two best ratings r1 >= r2.
__device__ __forceinline__ float rating_of_two(float r1, float r2, bool logits) {
    if (r2 == never) return r1;
    const float both =
        logits ? exact_add(r1, exact_log(exact_add(1.0F, exact_exp(exact_sub(r2, r1))))) : exact_add(r1, r2);
    return fminf(fmaxf(both, -most_float), most_float);
}

// All of a Selection but its groups: what kernels are told.
struct ScoreRules {
    Score score;
    WeightRule weights;
    const float* bias;  // [expert], or null
    [[nodiscard]] MOESIM_HOST_DEVICE bool by_logit() const { return score == Score::softmax && bias == nullptr; }
    // Whether the sum over all experts enters anything.
    [[nodiscard]] MOESIM_HOST_DEVICE bool needs_sum() const {
        return score == Score::softmax && (bias != nullptr || weights == WeightRule::probability);
    }
};

// Tokens and what becomes of them.
struct TokenTable {
    const float* logits;  // or scores; rows begin at multiples of 16 bytes
    std::int64_t stride;
    std::int64_t tokens;
    int experts, places;  // places of a token in the arrays below
    ExpertIndex* chosen;  // [token][place]
    float* weights;       // [token][place]
    [[nodiscard]] __device__ __forceinline__ const float* row(std::int64_t token) const {
        return logits + token * stride;
    }
};

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
