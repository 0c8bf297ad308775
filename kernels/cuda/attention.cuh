#pragma once
// Attention by warps: each has one query and takes in a tile of 32 keys at a time, a key a lane (Dao et al.,
// "FlashAttention", NeurIPS 2022). Right for every shape, and not more: no tensor cores, no overlap of loads with
// arithmetic; what wants speed has libraries made for it.
#include "kernels/attention.hpp"
#include "kernels/cuda/vectors.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr unsigned attention_warps = 8, attention_block = attention_warps * warp_lanes;
inline constexpr int attention_keys = 32;            // of a tile
inline constexpr std::int64_t most_sequences = 256;  // of one launch

// Of one launch's sequences. As an argument, it needs no memory of the device.
struct SequenceBegins {
    std::int64_t token[most_sequences + 1];
};

template <class T>
struct AttentionTables {
    Rows<const T> q, k, v, context_k, context_v;
    Rows<T> out;
    std::int64_t context;         // tokens before each sequence
    std::int64_t first_sequence;  // of the launch
    int group, dim;               // heads that look at the same keys; of a head
    bool causal;
    float scale;
};

// Numbers of shared memory: keys (a column more than they have, so that 32 keys lie in different banks), values, and a
// query for each warp.
inline MOESIM_HOST_DEVICE int attention_floats(int dim) {
    return attention_keys * (dim + 1) + attention_keys * dim + static_cast<int>(attention_warps) * dim;
}

__device__ __forceinline__ float largest_of_warp(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(full_warp, x, step));
    return x;
}
__device__ __forceinline__ float sum_of_warp(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x = exact_add(x, __shfl_xor_sync(full_warp, x, step));
    return x;
}

// A tile of keys and values in shared memory, zeros where there are none.
template <class T>
__device__ __forceinline__ void load_keys(const AttentionTables<T>& t, std::int64_t sequence, std::int64_t begin,
                                          std::int64_t all, std::int64_t first_token, float* keys, float* values) {
    const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * t.dim;
    for (int i = static_cast<int>(threadIdx.x); i < attention_keys * t.dim; i += static_cast<int>(attention_block)) {
        const int j = i / t.dim, d = i % t.dim;
        const std::int64_t key = begin + j;
        float k = 0, v = 0;
        if (key < t.context) {
            k = static_cast<float>(t.context_k.row(sequence * t.context + key)[column + d]);
            v = static_cast<float>(t.context_v.row(sequence * t.context + key)[column + d]);
        } else if (key < all) {
            k = static_cast<float>(t.k.row(first_token + key - t.context)[column + d]);
            v = static_cast<float>(t.v.row(first_token + key - t.context)[column + d]);
        }
        keys[j * (t.dim + 1) + d] = k;
        values[i] = v;
    }
}

// A block has attention_warps rows (a query and a head each) of blockIdx.z's sequence, for the head of keys blockIdx.y.
// A lane keeps `parts` columns of the result, 32 apart.
template <class T, int parts>
__global__ void __launch_bounds__(attention_block) attend(AttentionTables<T> t, SequenceBegins begins) {
    MOESIM_DYNAMIC_SHARED(shared, float);
    const int lane = static_cast<int>(threadIdx.x % warp_lanes), warp = static_cast<int>(threadIdx.x / warp_lanes);
    float *const keys = shared, *const values = keys + attention_keys * (t.dim + 1);
    float* const query = values + attention_keys * t.dim + warp * t.dim;
    const std::int64_t first_token = begins.token[blockIdx.z], length = begins.token[blockIdx.z + 1] - first_token;
    const std::int64_t all = t.context + length, rows = length * t.group;

    for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * attention_warps; first < rows;
         first += static_cast<std::int64_t>(gridDim.x) * attention_warps) {
        const std::int64_t row = first + warp, position = row / t.group;
        const bool there = row < rows;
        const std::int64_t column = (blockIdx.y * static_cast<std::int64_t>(t.group) + row % t.group) * t.dim;
        if (there)
            for (int d = lane; d < t.dim; d += static_cast<int>(warp_lanes))
                query[d] = static_cast<float>(t.q.row(first_token + position)[column + d]);
        __syncwarp();
        const std::int64_t seen = !there ? 0 : t.causal ? t.context + position + 1 : all;
        const std::int64_t last = min(first + static_cast<std::int64_t>(attention_warps), rows) - 1;
        const std::int64_t seen_by_block = t.causal ? t.context + last / t.group + 1 : all;

        float largest = -INFINITY, sum = 0, result[parts] = {};
        for (std::int64_t begin = 0; begin < seen_by_block; begin += attention_keys) {
            __syncthreads();  // nobody needs the tile before any more
            load_keys(t, t.first_sequence + blockIdx.z, begin, all, first_token, keys, values);
            __syncthreads();
            if (begin >= seen) continue;  // for the whole warp
            float score = 0;
            for (int d = 0; d < t.dim; ++d) score = __fmaf_rn(query[d], keys[lane * (t.dim + 1) + d], score);
            score = begin + lane < seen ? exact_mul(score, t.scale) : -INFINITY;
            const float before = largest;
            largest = fmaxf(largest, largest_of_warp(score));
            const float weight = exact_exp(exact_sub(score, largest));
            const float factor = exact_exp(exact_sub(before, largest));
            sum = exact_add(exact_mul(sum, factor), sum_of_warp(weight));
#pragma unroll
            for (int i = 0; i < parts; ++i) result[i] = exact_mul(result[i], factor);
            for (int j = 0; j < attention_keys; ++j) {
                const float of_key = __shfl_sync(full_warp, weight, j);
#pragma unroll
                for (int i = 0; i < parts; ++i) {
                    const int d = lane + i * static_cast<int>(warp_lanes);
                    if (d < t.dim) result[i] = __fmaf_rn(of_key, values[j * t.dim + d], result[i]);
                }
            }
        }
        if (there) {
#pragma unroll
            for (int i = 0; i < parts; ++i) {
                const int d = lane + i * static_cast<int>(warp_lanes);
                if (d < t.dim) t.out.row(first_token + position)[column + d] = T(exact_div(result[i], sum));
            }
        }
        __syncwarp();  // before the query is the next one
    }
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
