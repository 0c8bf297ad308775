#pragma once
// Kernels with one fault each, which the shim, or a sanitizer on it, has to find.
#include "kernels/shim/cuda.hpp"

namespace moesim::planted {

// to[i] = from[count - 1 - i], through shared memory.
template <bool with_barrier>
__global__ void reverse(const float* from, float* to) {
    MOESIM_DYNAMIC_SHARED(part, float);
    part[threadIdx.x] = from[threadIdx.x];
    if constexpr (with_barrier) __syncthreads();
    to[threadIdx.x] = part[blockDim.x - 1 - threadIdx.x];
}

// Shifts by one place twice: there has to be a barrier between the reads and the next writes, too.
__global__ void shift_without_second_barrier(const float* from, float* to) {
    MOESIM_DYNAMIC_SHARED(part, float);
    const unsigned i = threadIdx.x, next = (i + 1) % blockDim.x;
    part[i] = from[i];
    __syncthreads();
    const float value = part[next];
    part[i] = value;
    __syncthreads();
    to[i] = part[next];
}

// A warp's lanes hand each other values through memory.
template <bool with_syncwarp>
__global__ void exchange_in_warp(const float* from, float* to) {
    MOESIM_SHARED(part, float[32]);
    const unsigned lane = threadIdx.x % 32;
    part[lane] = from[lane];
    if constexpr (with_syncwarp)
        __syncwarp();
    else
        __ballot_sync(0xffffffffU, 1);  // all meet there, but it orders no memory
    to[lane] = part[lane ^ 1U];
}

__global__ void read_beyond(const float* from, int count, float* to) {
    const int i = static_cast<int>(threadIdx.x);
    if (i < count) to[i] = from[i + 1];
}
__global__ void write_beyond(const float* from, int count, float* to) {
    const int i = static_cast<int>(threadIdx.x);
    if (i <= count) to[i] = from[0];
}

// Lie side by side in shared memory, and are written up to their `end`th element.
__global__ void write_static(unsigned end, int* to) {
    MOESIM_SHARED(first, int[6]);
    MOESIM_SHARED(second, int[6]);
    if (threadIdx.x < 6) second[threadIdx.x] = 2;
    __syncthreads();
    int* const begin = first;  // as the compiler might notice it of the array itself
    for (unsigned i = threadIdx.x; i < end; i += blockDim.x) begin[i] = 1;
    __syncthreads();
    if (threadIdx.x < 6) to[threadIdx.x] = first[threadIdx.x] + second[threadIdx.x];
}
__global__ void write_dynamic(unsigned end) {
    MOESIM_DYNAMIC_SHARED(bytes, unsigned char);
    for (unsigned i = threadIdx.x; i < end; i += blockDim.x) bytes[i] = 1;
}
__global__ void read_dynamic(unsigned end, int* to) {
    MOESIM_DYNAMIC_SHARED(bytes, unsigned char);
    for (unsigned i = threadIdx.x; i < end; i += blockDim.x) *to = bytes[i];
}

__global__ void count_without_atomic(int* counter) { *counter = *counter + 1; }
// Only one thread of each block counts.
__global__ void count_blocks_without_atomic(int* counter) {
    if (threadIdx.x == 0) *counter = *counter + 1;
}
__global__ void count_with_atomic(int* counter) { atomicAdd(counter, 1); }

// Sums a block's values, and begins with whatever is in shared memory.
__global__ void sum_without_start(float* sum) {
    MOESIM_SHARED(total, float);
    atomicAdd(&total, 1.0F);
    __syncthreads();
    if (threadIdx.x == 0) *sum = total;
}

// Only the first `there` threads come to the barrier; the others end, or go to one of their own.
__global__ void some_end(unsigned there) {
    if (threadIdx.x >= there) return;
    __syncthreads();
}
__global__ void two_barriers(unsigned there) {
    // NOLINTNEXTLINE(bugprone-branch-clone): the fault that is planted
    if (threadIdx.x < there) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}
__global__ void barrier_and_warp(unsigned there) {
    if (threadIdx.x < there)
        __syncthreads();
    else
        __syncwarp();
    __syncthreads();
}

// The first `there` lanes of the only warp shuffle with this mask and source; the others end.
__global__ void shuffle_some(unsigned there, unsigned mask, int source, int width, int* to) {
    const int lane = static_cast<int>(threadIdx.x);
    if (threadIdx.x >= there) return;
    to[lane] = __shfl_sync(mask, lane, source, width);
}
// Even and odd lanes call different things, or with different masks.
__global__ void shuffle_apart(unsigned even_mask, unsigned odd_mask, bool odd_vote, int* to) {
    const int lane = static_cast<int>(threadIdx.x);
    if (lane % 2 == 0)
        to[lane] = __shfl_xor_sync(even_mask, lane, 2);
    else if (odd_vote)
        to[lane] = __any_sync(odd_mask, lane);
    else
        to[lane] = __shfl_xor_sync(odd_mask, lane, 2);
}

// Copies 16 bytes a thread, from `shift` elements on.
__global__ void copy_vectors(const float* from, int shift, float* to, int to_shift) {
    const int i = static_cast<int>(threadIdx.x);
    reinterpret_cast<float4*>(to + to_shift)[i] = reinterpret_cast<const float4*>(from + shift)[i];
}
__global__ void copy_own_vectors(const float* from, int shift, float* to) {
    const float* const begin = from + shift + threadIdx.x * 2;
    shim::expect_aligned<8>(begin);
    to[threadIdx.x] = begin[0];
}

}  // namespace moesim::planted
