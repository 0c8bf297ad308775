#pragma once
// Selection among up to most_few experts: eight lanes have a token, so that a warp does four.
//
// Why eight and not all 32: they read 128 bytes of a row at once, a whole line; what a lane gets in its fours are the
// experts of four of the 32 partial sums of kernels/selection.hpp, which thereby need no exchange; and the steps in
// which lanes compare are instructions for four tokens. That counts, because it is not memory that is scarce: 64 logits
// and eight choices, 304 bytes, take an H200 (4.8 TB/s, 132 multiprocessors at 1.98 GHz that issue 4 instructions a
// cycle) as long as 66 instructions of a warp. A choice is a round of about 45 instructions and 6 for each of a lane's
// fours, for four tokens at once (counted in the PTX for sm_90 without its moves; not timed): 14 a token where there
// are 64 experts, so that few choices keep pace with memory and eight cannot. Where all of a row fits into fewer lanes,
// fewer have it.
//
// The ratings lie in shared memory, and each lane holds the best of each of its fours: whoever has the best expert
// of all takes it out of its four, which is all that then has to be looked at again.
#include "kernels/cuda/select_groups.cuh"
#include "kernels/cuda/select_weights.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr int most_few = 512;
inline constexpr int few_block = 128;  // threads at most: whole warps
// Blocks of a multiprocessor that there have to be registers for. Left to itself, ptxas spills a few of them for more.
constexpr int few_blocks(int quads) { return quads > 8 ? 3 : quads > 4 ? 5 : 8; }

// Numbers of shared memory of a tile: ratings, values and ids of places, and what the groups need. With eight lanes,
// all of a warp's tiles read from different banks.
inline MOESIM_HOST_DEVICE int few_floats(int lanes, int quads, int places, const GroupRules& groups) {
    const int all = 4 * lanes * quads + places + (places + 1) / 2 + groups.floats();
    return lanes == 8 ? (all + 31) / 32 * 32 + 8 : (all + 3) / 4 * 4;
}

// A tile with its memory, and what of a token's row each of its lanes has: of quad c, expert(c) to expert(c) + 3.
template <int lanes, int quads>
struct Few {
    Tile<lanes> tile;
    float* ratings;       // [4 * lanes * quads]
    float* values;        // [place]
    ExpertIndex* chosen;  // [place]
    float* of_groups;

    static __device__ __forceinline__ Few mine(float* shared, int places, const GroupRules& groups) {
        const int begin = static_cast<int>(threadIdx.x) / lanes * few_floats(lanes, quads, places, groups);
        constexpr int size = 4 * lanes * quads;
        float *const ratings = shared + begin, *const values = ratings + size;
        return {Tile<lanes>::mine(), ratings, values, reinterpret_cast<ExpertIndex*>(values + places),
                values + places + (places + 1) / 2};
    }
    static __device__ __forceinline__ std::int64_t token() {
        return static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / lanes) + threadIdx.x / lanes;
    }
    [[nodiscard]] __device__ __forceinline__ int expert(int c) const { return 4 * (c * lanes + tile.rank); }

    // What there is not becomes never. All whole vectors are on their way before the first is needed.
    __device__ __forceinline__ void load(const float* row, int experts, bool in_vectors, float (&x)[quads][4]) const {
#pragma unroll
        for (int c = 0; c < quads; ++c) {
            float4 v = make_float4(never, never, never, never);
            if (in_vectors && expert(c) + 4 <= experts) v = __ldg(reinterpret_cast<const float4*>(row + expert(c)));
            x[c][0] = v.x;
            x[c][1] = v.y;
            x[c][2] = v.z;
            x[c][3] = v.w;
        }
        const int whole = in_vectors ? experts / 4 * 4 : 0;
        if (whole == experts) return;
#pragma unroll
        for (int c = 0; c < quads; ++c)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                if (expert(c) + i >= whole && expert(c) + i < experts) x[c][i] = row[expert(c) + i];
    }
    __device__ __forceinline__ void store(const float (&x)[quads][4], float* to, int end) const {
#pragma unroll
        for (int c = 0; c < quads; ++c)
            if (expert(c) < end)
                *reinterpret_cast<float4*>(to + expert(c)) = make_float4(x[c][0], x[c][1], x[c][2], x[c][3]);
    }

    // Step 2: the sum of exponentials of usable logits. They become the exponentials, those of never stay, where they
    // are not to be kept.
    __device__ __forceinline__ Normaliser normaliser(float (&x)[quads][4], bool keep) const {
        float above = never;
#pragma unroll
        for (int c = 0; c < quads; ++c)
#pragma unroll
            for (int i = 0; i < 4; ++i) above = fmaxf(above, x[c][i]);
        above = tile.largest(above);
        float sum[4] = {0, 0, 0, 0};  // partial sums 4 rank to 4 rank + 3; with fewer lanes the others are 0
#pragma unroll
        for (int c = 0; c < quads; ++c)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float e = exponential(x[c][i], above);  // 0 of never
                sum[i] = exact_add(sum[i], e);
                x[c][i] = keep || x[c][i] == never ? x[c][i] : e;
            }
#pragma unroll
        for (int step = lanes / 2; step > 0; step /= 2)  // partial sums 16, 8 and 4 further
#pragma unroll
            for (float& s : sum) s = exact_add(s, __shfl_xor_sync(full_warp, s, step));
        return {above, exact_add(exact_add(sum[0], sum[2]), exact_add(sum[1], sum[3]))};
    }
    // Steps 2 and 3: usable logits become scores, but those of never.
    __device__ __forceinline__ Normaliser score(Score score, float (&x)[quads][4]) const {
        Normaliser n{never, 0};
        if (score == Score::softmax) n = normaliser(x, false);
#pragma unroll
        for (int c = 0; c < quads; ++c)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float s = score == Score::sigmoid ? sigmoid(x[c][i]) : exact_div(x[c][i], n.sum);
                x[c][i] = x[c][i] == never ? never : s;
            }
        return n;
    }

    // Step 5: the best `places` of what lies in `ratings`, of which best[c] is that of a lane's quad c. Whatever cannot
    // be chosen is left; ratings that are taken are lost. Gives back how many there are: `values` and `chosen` hold
    // them, which the tile sees after its next sync().
    __device__ __forceinline__ int take_best(float (&best)[quads], int places) const {
        constexpr int none = 0x7fffffff;
        int count = 0;
        for (int place = 0; place < places; ++place) {
            float mine = best[0];
            int quad = tile.rank;
#pragma unroll
            for (int c = 1; c < quads; ++c) {
                quad = best[c] > mine ? c * lanes + tile.rank : quad;
                mine = fmaxf(best[c], mine);
            }
            const float top = tile.largest(mine);
            // Quads are in the order of their experts: of equal ratings, that in the lowest quad goes first.
            const int first = tile.least(mine == top ? quad : none);
            count += top > never ? 1 : 0;
            if (top == never || quad != first) continue;
            const int begin = 4 * quad;
            float* const four = ratings + begin;
            const float4 v = *reinterpret_cast<const float4*>(four);
            const int within = v.x == top ? 0 : v.y == top ? 1 : v.z == top ? 2 : 3;
            four[within] = never;
            const float4 rest = *reinterpret_cast<const float4*>(four);
            const float left = fmaxf(fmaxf(rest.x, rest.y), fmaxf(rest.z, rest.w));
#pragma unroll
            for (int c = 0; c < quads; ++c) best[c] = quad == c * lanes + tile.rank ? left : best[c];
            values[place] = top;
            chosen[place] = static_cast<ExpertIndex>(begin + within);
        }
        return count;
    }
    // The best of each of the lane's quads in `ratings`.
    __device__ __forceinline__ void best_of_quads(const float (&x)[quads][4], float (&best)[quads]) const {
#pragma unroll
        for (int c = 0; c < quads; ++c) best[c] = fmaxf(fmaxf(x[c][0], x[c][1]), fmaxf(x[c][2], x[c][3]));
    }

    // What weigh() gave, and no_expert in places that are left.
    __device__ __forceinline__ void store_places(const TokenTable& table, std::int64_t token, int count) const {
        if (token >= table.tokens) return;
        for (int i = tile.rank; i < table.places; i += lanes) {
            table.chosen[token * table.places + i] = i < count ? chosen[i] : no_expert;
            table.weights[token * table.places + i] = i < count ? values[i] : 0;
        }
    }
};

// The common case, for which nothing but logits counts: softmax without bias and groups, weights normalised or equal.
template <int lanes, int quads>
__global__ void __launch_bounds__(few_block, few_blocks(quads)) select_by_logit(TokenTable table, ScoreRules rules) {
    MOESIM_DYNAMIC_SHARED(shared, float);
    const auto few = Few<lanes, quads>::mine(shared, table.places, GroupRules{1, 1, 1, 1, false});
    const std::int64_t token = few.token();
    const bool there = token < table.tokens;
    const float* const row = table.row(there ? token : 0);
    float x[quads][4], best[quads];
    few.load(row, there ? table.experts : 0, true, x);
#pragma unroll
    for (int c = 0; c < quads; ++c)
#pragma unroll
        for (int i = 0; i < 4; ++i) x[c][i] = usable(x[c][i]);
    few.store(x, few.ratings, 4 * lanes * quads);
    few.best_of_quads(x, best);
    const int count = few.take_best(best, table.places);
    few.tile.sync();
    weigh(few.tile, rules, Normaliser{never, 0}, row, count, few.chosen, few.values);
    few.store_places(table, token, count);
}

// All of kernels/selection.hpp. bias_in_vectors: whether the bias begins at a multiple of 16 bytes.
template <int quads>
__global__ void __launch_bounds__(few_block, few_blocks(quads))
    select_by_rules(TokenTable table, ScoreRules rules, bool bias_in_vectors, GroupRules groups) {
    MOESIM_DYNAMIC_SHARED(shared, float);
    const auto few = Few<8, quads>::mine(shared, table.places, groups);
    const std::int64_t token = few.token();
    const bool there = token < table.tokens;
    const float* const row = table.row(there ? token : 0);
    float x[quads][4], best[quads];
    few.load(row, there ? table.experts : 0, true, x);
#pragma unroll
    for (int c = 0; c < quads; ++c)
#pragma unroll
        for (int i = 0; i < 4; ++i) x[c][i] = usable(x[c][i]);
    Normaliser n{never, 0};
    if (!rules.by_logit())
        n = few.score(rules.score, x);
    else if (rules.needs_sum())
        n = few.normaliser(x, true);
    if (rules.bias != nullptr) {
        float bias[quads][4];
        few.load(rules.bias, table.experts, bias_in_vectors, bias);
#pragma unroll
        for (int c = 0; c < quads; ++c)
#pragma unroll
            for (int i = 0; i < 4; ++i) x[c][i] = usable(exact_add(x[c][i], bias[c][i]));  // never stays so
    }
    few.store(x, few.ratings, 32 * quads);
    if (groups.groups > 1) {
        few.tile.sync();
        limit_groups(few.tile, groups, rules.by_logit(), table.experts, few.ratings, few.of_groups);
#pragma unroll
        for (int c = 0; c < quads; ++c) {
            const float4 v = *reinterpret_cast<const float4*>(few.ratings + few.expert(c));
            x[c][0] = v.x;
            x[c][1] = v.y;
            x[c][2] = v.z;
            x[c][3] = v.w;
        }
    }
    few.best_of_quads(x, best);
    const int count = few.take_best(best, table.places);
    few.tile.sync();
    weigh(few.tile, rules, n, row, count, few.chosen, few.values);
    few.store_places(table, token, count);
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
