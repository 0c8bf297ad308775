#pragma once
// Selection among more experts than a few lanes can hold: a block has a token, whose ratings lie in global memory. The
// time that it takes hardly depends on how many are chosen, up to the thousands: the chosen are those above a
// threshold, and each finds its place by counting the better ones.
#include "kernels/cuda/select_groups.cuh"
#include "kernels/cuda/select_weights.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr int many_block = 1024;  // threads at most: whole warps

// A block's own part of the memory for intermediate values.
struct ManyMemory {
    [[nodiscard]] static MOESIM_HOST_DEVICE std::int64_t floats(int experts, int places, const GroupRules& groups) {
        return std::int64_t{experts} + 2 * std::int64_t{places} + groups.floats();
    }
    float *ratings, *picked;  // [expert]; [place]: ratings, in no order
    int* picked_id;           // [place]
    float* of_groups;
    static __device__ __forceinline__ ManyMemory mine(float* all, int experts, int places, const GroupRules& groups) {
        float *const ratings = all + blockIdx.x * floats(experts, places, groups), *const picked = ratings + experts;
        return {ratings, picked, reinterpret_cast<int*>(picked + places), picked + 2 * std::int64_t{places}};
    }
};

// Step 2, with room for a number for each expert.
__device__ inline Normaliser normaliser_of(const Block& block, const float* row, int experts, float* exponentials) {
    MOESIM_SHARED(total, float);
    float above = never;
    for (int e = block.rank; e < experts; e += block.size) above = fmaxf(above, usable(row[e]));
    above = block.largest(above);
    for (int e = block.rank; e < experts; e += block.size) {
        const float logit = usable(row[e]);
        exponentials[e] = logit == never ? 0 : exponential(logit, above);
    }
    block.sync();
    if (block.warp() == 0) {  // its lanes are the 32 partial sums
        float sum = 0;
#pragma unroll 8
        for (int e = block.lane(); e < experts; e += static_cast<int>(warp_lanes))
            sum = exact_add(sum, exponentials[e]);
#pragma unroll
        for (int step = 16; step > 0; step /= 2) sum = exact_add(sum, __shfl_xor_sync(full_warp, sum, step));
        if (block.lane() == 0) total = sum;
    }
    block.sync();
    return {above, total};  // which a next call writes behind further barriers
}

// The best `places` of ratings [expert], best first, into values and chosen [place], both seen by the whole block at
// the end. Gives back how many there are of `choosable`, which is how many ratings are not never.
__device__ inline int take_best(const Block& block, const ManyMemory& memory, int experts, int choosable, int places,
                                ExpertIndex* chosen, float* values) {
    MOESIM_SHARED(next, int);
    const int count = min(choosable, places);
    Threshold threshold{never, -1};
    if (choosable > places)
        threshold = threshold_of(block, memory.ratings, static_cast<unsigned>(experts), static_cast<unsigned>(places));
    if (block.rank == 0) next = 0;
    block.sync();
    for (int e = block.rank; e < experts; e += block.size)
        if (threshold.met(memory.ratings[e], e, never)) {
            const int at = atomicAdd(&next, 1);
            memory.picked[at] = memory.ratings[e];
            memory.picked_id[at] = e;
        }
    block.sync();
    for (int i = block.rank; i < count; i += block.size) {
        const float rating = memory.picked[i];
        const int id = memory.picked_id[i];
        int place = 0;
        for (int j = 0; j < count; ++j) {
            const float other = memory.picked[j];
            place += other > rating || (other == rating && memory.picked_id[j] < id) ? 1 : 0;
        }
        chosen[place] = static_cast<ExpertIndex>(id);
        values[place] = rating;
    }
    block.sync();
    return count;
}

__device__ inline void empty_places(const Block& block, int count, int places, ExpertIndex* chosen, float* weights) {
    for (int i = count + block.rank; i < places; i += block.size) {
        chosen[i] = no_expert;
        weights[i] = 0;
    }
}

// All of kernels/selection.hpp; memory: ManyMemory::floats() for each block, which nothing looks at any more when
// take_best() ends.
__global__ void __launch_bounds__(many_block, 1)
    select_of_many(TokenTable table, ScoreRules rules, GroupRules groups, float* memory_of_all) {
    const Block block = Block::mine();
    const auto memory = ManyMemory::mine(memory_of_all, table.experts, table.places, groups);
    for (std::int64_t token = blockIdx.x; token < table.tokens; token += gridDim.x) {
        const float* const row = table.row(token);
        Normaliser n{never, 0};
        if (rules.needs_sum()) n = normaliser_of(block, row, table.experts, memory.ratings);
        int mine = 0;
        for (int e = block.rank; e < table.experts; e += block.size) {
            float x = usable(row[e]);
            if (x != never && !rules.by_logit()) {
                x = score_of(rules.score, x, n);
                if (rules.bias != nullptr) x = usable(exact_add(x, rules.bias[e]));
            }
            memory.ratings[e] = x;
            mine += x > never ? 1 : 0;
        }
        block.sync();
        if (groups.groups > 1) {
            limit_groups(block, groups, rules.by_logit(), table.experts, memory.ratings, memory.of_groups);
            mine = 0;
            for (int e = block.rank; e < table.experts; e += block.size) mine += memory.ratings[e] > never ? 1 : 0;
        }
        ExpertIndex* const chosen = table.chosen + token * table.places;
        float* const weights = table.weights + token * table.places;
        const int choosable = block.sums(mine).all;
        const int count = take_best(block, memory, table.experts, choosable, table.places, chosen, weights);
        weigh(block, rules, n, row, count, chosen, weights);
        empty_places(block, count, table.places, chosen, weights);
    }
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
