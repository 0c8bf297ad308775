#pragma once
// Kernels as they are usually written, to hold the shim against: they compile with nvcc as well.
#include "kernels/shim/cuda.hpp"

namespace moesim::samples {

// sums[block] = the sum of the block's part of `values`. Threads: a multiple of 32.
template <class T>
__global__ void __launch_bounds__(1024) block_sum(const T* __restrict__ values, int count, T* __restrict__ sums) {
    MOESIM_SHARED(of_warps, T[32]);
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    T sum = i < count ? values[i] : T(0);
#pragma unroll
    for (unsigned step = 16; step > 0; step /= 2) sum += __shfl_down_sync(0xffffffffU, sum, step);
    if (lane == 0) of_warps[warp] = sum;
    __syncthreads();
    if (warp > 0) return;
    sum = lane < blockDim.x / 32 ? of_warps[lane] : T(0);
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, step);
    if (lane == 0) sums[blockIdx.x] = sum;
}

// counts[bin] += how many of `bins` it is; dynamic shared memory: bin_count ints.
__global__ void histogram(const int* __restrict__ bins, int count, int bin_count, int* __restrict__ counts) {
    MOESIM_DYNAMIC_SHARED(mine, int);
    for (int b = static_cast<int>(threadIdx.x); b < bin_count; b += static_cast<int>(blockDim.x)) mine[b] = 0;
    __syncthreads();
    const int stride = static_cast<int>(gridDim.x * blockDim.x);
    for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < count; i += stride)
        atomicAdd(&mine[bins[i]], 1);
    __syncthreads();
    for (int b = static_cast<int>(threadIdx.x); b < bin_count; b += static_cast<int>(blockDim.x))
        if (mine[b] > 0) atomicAdd(&counts[b], mine[b]);
}

// to[column][row] = from[row][column], a tile of tile × tile by each block of (tile, tile / 4) threads.
template <class T, int tile>
__global__ void transpose(const T* __restrict__ from, int rows, int columns, T* __restrict__ to) {
    MOESIM_SHARED(part, T[tile][tile + 1]);  // a column more, so that its columns lie in different banks
    const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
    const int row0 = static_cast<int>(blockIdx.y) * tile, column0 = static_cast<int>(blockIdx.x) * tile;
    for (int r = y; r < tile; r += tile / 4)
        if (row0 + r < rows && column0 + x < columns) part[r][x] = from[(row0 + r) * columns + column0 + x];
    __syncthreads();
    for (int c = y; c < tile; c += tile / 4)
        if (column0 + c < columns && row0 + x < rows) to[(column0 + c) * rows + row0 + x] = part[x][c];
}

// sums[i] = values[0] + … + values[i - 1], by one block, which has as many threads as there are values.
__global__ void exclusive_scan(const int* __restrict__ values, int* __restrict__ sums) {
    MOESIM_DYNAMIC_SHARED(part, int);
    const unsigned i = threadIdx.x;
    part[i] = values[i];
    __syncthreads();
    for (unsigned step = 1; step < blockDim.x; step *= 2) {
        const int before = i >= step ? part[i - step] : 0;
        __syncthreads();
        part[i] += before;
        __syncthreads();
    }
    sums[i] = i == 0 ? 0 : part[i - 1];
}

// to = scale × from, four values an access. Both are aligned to 16 bytes, `count` is a multiple of 4.
__global__ void scale(const float* __restrict__ from, int count, float factor, float* __restrict__ to) {
    const int stride = static_cast<int>(gridDim.x * blockDim.x) * 4;
    for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * 4; i < count; i += stride) {
        float4 v = __ldg(reinterpret_cast<const float4*>(from + i));
        v.x *= factor;
        v.y *= factor;
        v.z *= factor;
        v.w *= factor;
        *reinterpret_cast<float4*>(to + i) = v;
    }
}

// kept: the positive ones of `values`, in any order, and how many; one atomic a warp.
__global__ void keep_positive(const int* __restrict__ values, int count, int* __restrict__ kept,
                              unsigned* __restrict__ kept_count) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const unsigned lane = threadIdx.x % 32;
    const int value = i < count ? values[i] : 0;
    const unsigned takers = __ballot_sync(0xffffffffU, value > 0);
    if (takers == 0) return;
    const int leader = __ffs(static_cast<int>(takers)) - 1;
    unsigned begin = 0;
    if (static_cast<int>(lane) == leader) begin = atomicAdd(kept_count, static_cast<unsigned>(__popc(takers)));
    begin = __shfl_sync(0xffffffffU, begin, leader);
    if (value > 0) kept[begin + static_cast<unsigned>(__popc(takers & ((1U << lane) - 1)))] = value;
}

// total = the sum of `values`, in the order of the blocks, by whichever block is the last to be done: `done` counts
// them, and is 0 again at the end.
__global__ void ordered_total(const float* __restrict__ values, int count, float* sums, unsigned* done, float* total) {
    MOESIM_SHARED(last, bool);
    if (threadIdx.x == 0) {
        const int part = (count + static_cast<int>(gridDim.x) - 1) / static_cast<int>(gridDim.x);
        const int begin = static_cast<int>(blockIdx.x) * part;
        float sum = 0;
        for (int i = begin; i < min(begin + part, count); ++i) sum += values[i];
        sums[blockIdx.x] = sum;
        __threadfence();
        last = atomicInc(done, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    __threadfence();
    float sum = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) sum += sums[b];
    *total = sum;
}

}  // namespace moesim::samples
