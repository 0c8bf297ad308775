#pragma once
// Experts choose tokens. Scores are computed once, row by row; each expert's block then finds what its best tokens have
// in common, in a transposed copy, where an expert's scores lie side by side; and each token chooses among the experts
// whose threshold it meets, by the ways of selection.
#include "kernels/cuda/select_few.cuh"
#include "kernels/cuda/select_many.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

// to [token][expert] becomes the scores, 0 of what cannot be chosen; its rows begin at multiples of 16 bytes, and there
// is room for whole vectors.
template <int quads>
__global__ void __launch_bounds__(few_block, few_blocks(quads))
    score_few(TokenTable table, Score score, float* to, std::int64_t stride) {
    const Few<8, quads> few{Tile<8>::mine(), nullptr, nullptr, nullptr, nullptr};
    const std::int64_t token = few.token();
    const bool there = token < table.tokens;
    float x[quads][4];
    few.load(table.row(there ? token : 0), there ? table.experts : 0, true, x);
#pragma unroll
    for (int c = 0; c < quads; ++c)
#pragma unroll
        for (int i = 0; i < 4; ++i) x[c][i] = usable(x[c][i]);
    few.score(score, x);
#pragma unroll
    for (int c = 0; c < quads; ++c)
#pragma unroll
        for (int i = 0; i < 4; ++i) x[c][i] = fmaxf(x[c][i], 0.0F);
    if (there) few.store(x, to + token * stride, table.experts);
}

__global__ void __launch_bounds__(many_block, 1)
    score_many(TokenTable table, Score score, float* to, std::int64_t stride) {
    const Block block = Block::mine();
    for (std::int64_t token = blockIdx.x; token < table.tokens; token += gridDim.x) {
        const float* const row = table.row(token);
        float* const scores = to + token * stride;
        Normaliser n{never, 0};
        if (score == Score::softmax) n = normaliser_of(block, row, table.experts, scores);
        for (int e = block.rank; e < table.experts; e += block.size) {
            const float x = usable(row[e]);
            scores[e] = x == never ? 0 : score_of(score, x, n);
        }
    }
}

inline constexpr int transposed_tile = 32, transposing_rows = 8;  // a block is one by the other

// of_expert [expert][token] = scores [token][expert].
__global__ void __launch_bounds__(transposed_tile* transposing_rows)
    transpose_scores(const float* scores, std::int64_t stride, std::int64_t tokens, int experts, float* of_expert) {
    MOESIM_SHARED(part, float[transposed_tile][transposed_tile + 1]);  // columns lie in different banks
    const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
    const std::int64_t token0 = static_cast<std::int64_t>(blockIdx.x) * transposed_tile;
    const int expert0 = static_cast<int>(blockIdx.y) * transposed_tile;
    for (int r = y; r < transposed_tile; r += transposing_rows)
        if (token0 + r < tokens && expert0 + x < experts) part[r][x] = scores[(token0 + r) * stride + expert0 + x];
    __syncthreads();
    for (int r = y; r < transposed_tile; r += transposing_rows)
        if (expert0 + r < experts && token0 + x < tokens) of_expert[(expert0 + r) * tokens + token0 + x] = part[x][r];
}

// Of each expert, by a block: what its `capacity` best tokens have in common, 1 <= capacity <= tokens.
__global__ void __launch_bounds__(many_block, 1)
    find_thresholds(const float* of_expert, std::int64_t tokens, std::int64_t capacity, float* values,
                    int* last_equal) {
    const Block block = Block::mine();
    const Threshold threshold = threshold_of(block, of_expert + blockIdx.x * tokens, static_cast<unsigned>(tokens),
                                             static_cast<unsigned>(capacity));
    if (block.rank != 0) return;
    values[blockIdx.x] = threshold.value;
    last_equal[blockIdx.x] = threshold.last_equal;
}
// The same threshold for all: no token's, or every token's whose score exceeds 0.
__global__ void set_thresholds(float value, int experts, float* values, int* last_equal) {
    const int e = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (e >= experts) return;
    values[e] = value;
    last_equal[e] = -1;
}

struct Thresholds {
    const float* values;  // at a multiple of 16 bytes
    const int* last_equal;
    // A score as what a token chooses by: never where the expert does not take the token. value: that of the expert.
    [[nodiscard]] __device__ __forceinline__ float rating(float score, float value, int expert,
                                                          std::int64_t token) const {
        const int last = score == value ? last_equal[expert] : -1;  // hardly ever looked at
        if (Threshold{value, last}.met(score, static_cast<int>(token), 0)) return score;
        return never;
    }
};

// table.logits are scores. *lost += how many choices do not fit into places.
template <int quads>
__global__ void __launch_bounds__(few_block, few_blocks(quads))
    choose_of_few(TokenTable table, Thresholds thresholds, unsigned long long* lost) {
    MOESIM_DYNAMIC_SHARED(shared, float);
    const auto few = Few<8, quads>::mine(shared, table.places, GroupRules{1, 1, 1, 1, false});
    const std::int64_t token = few.token();
    const bool there = token < table.tokens;
    const int experts = there ? table.experts : 0;
    float x[quads][4], value[quads][4], best[quads];
    few.load(table.row(there ? token : 0), experts, true, x);
    few.load(thresholds.values, experts, true, value);
    int mine = 0;
#pragma unroll
    for (int c = 0; c < quads; ++c)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int e = few.expert(c) + i;
            x[c][i] = e < experts ? thresholds.rating(x[c][i], value[c][i], e, token) : never;
            mine += x[c][i] > never ? 1 : 0;
        }
    few.store(x, few.ratings, 32 * quads);
    few.best_of_quads(x, best);
    const int count = few.take_best(best, table.places);
    few.tile.sync();
    few.store_places(table, token, count);
    const int lost_by_warp = __reduce_add_sync(full_warp, few.tile.rank == 0 ? mine - count : mine);
    if (threadIdx.x % warp_lanes == 0 && lost_by_warp > 0)
        atomicAdd(lost, static_cast<unsigned long long>(lost_by_warp));
}

// memory: ManyMemory::floats() for each block.
__global__ void __launch_bounds__(many_block, 1)
    choose_of_many(TokenTable table, Thresholds thresholds, float* memory_of_all, unsigned long long* lost) {
    const Block block = Block::mine();
    const auto memory = ManyMemory::mine(memory_of_all, table.experts, table.places, GroupRules{1, 1, 1, 1, false});
    for (std::int64_t token = blockIdx.x; token < table.tokens; token += gridDim.x) {
        const float* const row = table.row(token);
        int mine = 0;
        for (int e = block.rank; e < table.experts; e += block.size) {
            memory.ratings[e] = thresholds.rating(row[e], thresholds.values[e], e, token);
            mine += memory.ratings[e] > never ? 1 : 0;
        }
        const int choosable = block.sums(mine).all;
        ExpertIndex* const chosen = table.chosen + token * table.places;
        float* const weights = table.weights + token * table.places;
        const int count = take_best(block, memory, table.experts, choosable, table.places, chosen, weights);
        empty_places(block, count, table.places, chosen, weights);
        if (block.rank == 0 && choosable > count) atomicAdd(lost, static_cast<unsigned long long>(choosable - count));
    }
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
