#pragma once
// Who does a token together: a few lanes of a warp, or a whole block. What both can do has the same names, so that the
// steps that look at memory are written once for both.
#include "kernels/cuda/select_values.cuh"
#include "kernels/cuda/vectors.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

// `lanes` neighbours of a warp, a power of two. The warp's other tiles have to come to the same calls, whatever their
// tokens are: masks are the whole warp's, so that the compiler need not bring lanes together.
template <int lanes>
struct Tile {
    static constexpr int size = lanes;
    int rank;
    static __device__ __forceinline__ Tile mine() { return {static_cast<int>(threadIdx.x) % lanes}; }

    __device__ __forceinline__ void sync() const { __syncwarp(); }
    __device__ __forceinline__ float largest(float x) const {
#pragma unroll
        for (int step = lanes / 2; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(full_warp, x, step));
        return x;
    }
    __device__ __forceinline__ int least(int x) const {
#pragma unroll
        for (int step = lanes / 2; step > 0; step /= 2) x = min(x, __shfl_xor_sync(full_warp, x, step));
        return x;
    }
};

// A block of whole warps.
//
// Its two reductions are what cub::BlockReduce and cub::BlockScan do. Those ask for the block's size when they are
// compiled; here it is the launch's, because it follows the number of experts or tokens (many_shape, threads_up_to),
// and with them every kernel of a block's work would be compiled for each size. They also want their shared memory
// handed in from the kernel, through all of these functions. And the shim runs this source, not a stand-in for a
// library that would have to be kept like it. It is a dozen lines, off the hot path: what they take is a few barriers a
// token.
struct Block {
    static constexpr int most_warps = 32;
    int rank, size;
    static __device__ __forceinline__ Block mine() {
        return {static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x)};
    }
    [[nodiscard]] __device__ __forceinline__ int lane() const { return rank % static_cast<int>(warp_lanes); }
    [[nodiscard]] __device__ __forceinline__ int warp() const { return rank / static_cast<int>(warp_lanes); }
    [[nodiscard]] __device__ __forceinline__ int warps() const { return size / static_cast<int>(warp_lanes); }

    __device__ __forceinline__ void sync() const { __syncthreads(); }
    __device__ float largest(float x) const {
        MOESIM_SHARED(of_warps, float[most_warps]);
        x = Tile<static_cast<int>(warp_lanes)>{lane()}.largest(x);
        if (lane() == 0) of_warps[warp()] = x;
        __syncthreads();
        for (int w = 0; w < warps(); ++w) x = fmaxf(x, of_warps[w]);
        __syncthreads();  // before the next call writes
        return x;
    }
    struct Sums {
        int before, all;  // of the threads before this one, and of all
    };
    __device__ Sums sums(int x) const {
        MOESIM_SHARED(of_warps, int[most_warps]);
        int upto = x;
#pragma unroll
        for (int step = 1; step < static_cast<int>(warp_lanes); step *= 2) {
            const int other = __shfl_up_sync(full_warp, upto, static_cast<unsigned>(step));
            if (lane() >= step) upto += other;
        }
        if (lane() == static_cast<int>(warp_lanes) - 1) of_warps[warp()] = upto;
        __syncthreads();
        Sums sums{upto - x, 0};
        for (int w = 0; w < warps(); ++w) {
            if (w < warp()) sums.before += of_warps[w];
            sums.all += of_warps[w];
        }
        __syncthreads();
        return sums;
    }
};

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
