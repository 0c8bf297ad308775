#pragma once
// Rows read and written 16 bytes at a time, and as floats in between.
#include "kernels/shim/cuda.hpp"
// First the line above: it defines CUDA's words where nvcc does not compile.
#include "kernels/cuda/side.hpp"
#include "kernels/scalar.hpp"
#include "kernels/view.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr unsigned full_warp = 0xffffffffU;
inline constexpr unsigned warp_lanes = 32;

// Two floats as bf16, the first in the lower half. A NaN stays one.
__device__ __forceinline__ unsigned two_bf16(float low, float high) {
#ifdef __CUDA_ARCH__
    unsigned both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
#else
    return bfloat16(low).bits | static_cast<unsigned>(bfloat16(high).bits) << 16;
#endif
}

// Two floats as e4m3, the first in the lower byte, by the rules of float8_e4m3.
__device__ __forceinline__ unsigned two_float8(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
    unsigned short both;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(both) : "f"(high), "f"(low));
    return both;
#else
    return float8_e4m3(low).bits | static_cast<unsigned>(float8_e4m3(high).bits) << 8;
#endif
}

// What one access of 16 bytes holds of a row of T: `count` elements.
template <class T>
struct Vector;

template <>
struct Vector<float> {
    static constexpr int count = 4;
    static __device__ __forceinline__ void widen(const uint4& v, float (&x)[count]) {
        x[0] = float_of(v.x);
        x[1] = float_of(v.y);
        x[2] = float_of(v.z);
        x[3] = float_of(v.w);
    }
    static __device__ __forceinline__ uint4 narrow(const float (&x)[count]) {
        return make_uint4(bits_of(x[0]), bits_of(x[1]), bits_of(x[2]), bits_of(x[3]));
    }
};

template <>
struct Vector<bfloat16> {
    static constexpr int count = 8;
    static __device__ __forceinline__ void widen(const uint4& v, float (&x)[count]) {
        widen_two(v.x, x[0], x[1]);
        widen_two(v.y, x[2], x[3]);
        widen_two(v.z, x[4], x[5]);
        widen_two(v.w, x[6], x[7]);
    }
    static __device__ __forceinline__ uint4 narrow(const float (&x)[count]) {
        return make_uint4(two_bf16(x[0], x[1]), two_bf16(x[2], x[3]), two_bf16(x[4], x[5]), two_bf16(x[6], x[7]));
    }

  private:
    static __device__ __forceinline__ void widen_two(unsigned both, float& low, float& high) {
        low = float_of(both << 16);
        high = float_of(both & 0xffff0000U);
    }
};

// As many e4m3 codes as a vector of T has elements, at an address that is a multiple of as many bytes.
__device__ __forceinline__ void store_codes(std::uint8_t* to, const float (&x)[4]) {
    shim::expect_aligned<4>(to);
    *reinterpret_cast<unsigned*>(to) = two_float8(x[0], x[1]) | two_float8(x[2], x[3]) << 16;
}
__device__ __forceinline__ void store_codes(std::uint8_t* to, const float (&x)[8]) {
    *reinterpret_cast<uint2*>(to) = make_uint2(two_float8(x[0], x[1]) | two_float8(x[2], x[3]) << 16,
                                               two_float8(x[4], x[5]) | two_float8(x[6], x[7]) << 16);
}
__device__ __forceinline__ float decoded(unsigned code) {
    float8_e4m3 x;
    x.bits = static_cast<std::uint8_t>(code);
    return static_cast<float>(x);
}
__device__ __forceinline__ void load_codes(const std::uint8_t* from, float (&x)[4]) {
    shim::expect_aligned<4>(from);
    const unsigned codes = *reinterpret_cast<const unsigned*>(from);
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = decoded(codes >> (8 * i) & 0xffU);
}
__device__ __forceinline__ void load_codes(const std::uint8_t* from, float (&x)[8]) {
    const uint2 codes = *reinterpret_cast<const uint2*>(from);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        x[i] = decoded(codes.x >> (8 * i) & 0xffU);
        x[4 + i] = decoded(codes.y >> (8 * i) & 0xffU);
    }
}

// How a kernel over rows divides a table: a warp does some vectors of one row, which its lanes take in turn, and
// `warps` rows are a block's. Along a row it is blockIdx.x that counts, along the rows blockIdx.y, which goes on in
// strides of the grid: blocks that start together read what lies together.
inline constexpr unsigned warps_of_block = 8, rows_block = warps_of_block * warp_lanes;

struct RowPart {
    std::int64_t first_row, row_stride;  // this warp's rows
    std::int64_t first_vector;           // this lane's; the next one is warp_lanes further
    std::int64_t tail;                   // the column that this lane has beyond the last whole vector, or -1
    [[nodiscard]] __device__ __forceinline__ std::int64_t vector(int i) const {
        return first_vector + static_cast<std::int64_t>(i) * warp_lanes;
    }
};
// each: a lane's vectors; count: elements of a vector.
__device__ __forceinline__ RowPart row_part(std::int64_t cols, int each, int count) {
    const std::int64_t lane = threadIdx.x % warp_lanes, tail = cols / count * count + lane;
    return {static_cast<std::int64_t>(blockIdx.y) * warps_of_block + threadIdx.x / warp_lanes,
            static_cast<std::int64_t>(gridDim.y) * warps_of_block,
            static_cast<std::int64_t>(blockIdx.x) * each * warp_lanes + lane,
            blockIdx.x == gridDim.x - 1 && tail < cols ? tail : -1};
}

template <class T>
__device__ __forceinline__ uint4 load_vector(const T* row, std::int64_t vector) {
    return reinterpret_cast<const uint4*>(row)[vector];
}
// What is written is larger than caches, as a rule, and what is read shall stay there.
template <class T>
__device__ __forceinline__ void store_vector(T* row, std::int64_t vector, const uint4& v) {
    __stcs(reinterpret_cast<uint4*>(row) + vector, v);
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
