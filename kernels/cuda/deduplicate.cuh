#pragma once
// A routing to ranks made of one to experts, and back.
#include "kernels/shim/cuda.hpp"
// First the line above: it defines CUDA's words where nvcc does not compile.
#include "base/ids.hpp"
#include "kernels/cuda/side.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr unsigned deduplicate_block = 256;

struct RankChoices {
    const ExpertIndex* __restrict__ experts;
    std::int64_t choices, width;
    const std::int32_t* __restrict__ rank_of_expert;
    std::int64_t expert_count, ranks;

    // -1 where there is none.
    [[nodiscard]] __device__ __forceinline__ std::int64_t rank_of(std::int64_t c) const {
        const ExpertIndex e = experts[c];
        const std::int64_t rank = e < expert_count ? rank_of_expert[e] : -1;
        return rank < ranks ? rank : -1;
    }
    // The token's first choice of the same rank.
    [[nodiscard]] __device__ __forceinline__ std::int64_t first_of(std::int64_t c, std::int64_t rank) const {
        std::int64_t first = c - c % width;
        while (rank_of(first) != rank) ++first;
        return first;
    }
};

// firsts[c]: the rank of choice c where it is the token's first one of that rank. itself[r] = r.
__global__ void __launch_bounds__(deduplicate_block)
    keep_firsts(RankChoices from, ExpertIndex* __restrict__ firsts, std::int32_t* __restrict__ itself) {
    const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x,
                       threads = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
    for (std::int64_t r = thread; r < from.ranks; r += threads) itself[r] = static_cast<std::int32_t>(r);
    for (std::int64_t c = thread; c < from.choices; c += threads) {
        const std::int64_t rank = from.rank_of(c);
        firsts[c] = rank >= 0 && from.first_of(c, rank) == c ? static_cast<ExpertIndex>(rank) : no_expert;
    }
}

// slot[c] = sent[the token's first choice of the same rank]; choices in `token` become their tokens.
__global__ void __launch_bounds__(deduplicate_block)
    spread_slots(RankChoices from, const std::int32_t* __restrict__ sent, std::int32_t* __restrict__ slot,
                 std::int32_t* __restrict__ token) {
    const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
    for (std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; c < from.choices;
         c += threads) {
        const std::int64_t rank = from.rank_of(c);
        slot[c] = rank < 0 ? -1 : sent[from.first_of(c, rank)];
        if (token[c] >= 0) token[c] = static_cast<std::int32_t>(token[c] / from.width);
    }
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
