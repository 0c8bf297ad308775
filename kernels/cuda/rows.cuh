#pragma once
// Kernels that move rows. Every row begins at a multiple of 16 bytes; what is left behind its last whole vector goes
// element by element.
#include "kernels/cuda/vectors.cuh"
#include "kernels/rounding.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

// Vectors of a lane that are on their way at once.
inline constexpr int copied_vectors = 4, combined_vectors = 2, compressed_vectors = 2;
// Rows of a token whose vectors are on their way at once.
inline constexpr int combined_rows = 4;

// Which row of `rows` a row comes from: that of source[r] / width. -1 where there is none.
struct RowSource {
    const std::int32_t* __restrict__ source;
    unsigned width;
    std::int64_t rows;
    [[nodiscard]] __device__ __forceinline__ std::int64_t of(std::int64_t r) const {
        const std::int32_t number = source[r];
        const std::int64_t row = static_cast<unsigned>(number) / width;
        return number >= 0 && row < rows ? row : -1;
    }
};

// Rows of uninterpreted bytes, an even number; what comes from nowhere becomes 0 or stays. Rows<> of 2-byte units.
template <bool zeros>
__global__ void __launch_bounds__(rows_block)
    copy_rows(Rows<const std::uint16_t> from, RowSource source, Rows<std::uint16_t> to) {
    constexpr int count = 8;
    const RowPart part = row_part(to.cols, copied_vectors, count);
    const std::int64_t vectors = to.cols / count;
    for (std::int64_t r = part.first_row; r < to.rows; r += part.row_stride) {
        const std::int64_t row = source.of(r);
        if (!zeros && row < 0) continue;
        const std::uint16_t* const in = from.row(row < 0 ? 0 : row);
        std::uint16_t* const out = to.row(r);
        uint4 held[copied_vectors];
#pragma unroll
        for (int i = 0; i < copied_vectors; ++i) {
            const std::int64_t v = part.vector(i);
            held[i] = row >= 0 && v < vectors ? load_vector(in, v) : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < copied_vectors; ++i) {
            const std::int64_t v = part.vector(i);
            if (v < vectors) store_vector(out, v, held[i]);
        }
        if (part.tail >= 0) out[part.tail] = row < 0 ? std::uint16_t{0} : in[part.tail];
    }
}

// A magnitude's bits, as which magnitudes have the same order; a NaN counts as 0.
__device__ __forceinline__ unsigned counted_magnitude(float x) {
    const unsigned m = bits_of(x) & 0x7fffffffU;
    return m > 0x7f800000U ? 0U : m;
}
template <int count>
__device__ __forceinline__ unsigned largest_of(const float (&x)[count], unsigned largest) {
#pragma unroll
    for (int i = 0; i < count; ++i) largest = max(largest, counted_magnitude(x[i]));
    return largest;
}
inline constexpr unsigned least_magnitude = (127U - 100U) << 23;  // the bits of 2^-100

__device__ __forceinline__ float scale_for(unsigned largest) {
    return exact_div(float_of(largest), float8_e4m3::largest);
}
__device__ __forceinline__ float inverse_scale_for(unsigned largest) {
    return exact_div(float8_e4m3::largest, float_of(largest));
}
template <int count>
__device__ __forceinline__ void store_compressed(std::uint8_t* to, float (&x)[count], float inverse) {
#pragma unroll
    for (int i = 0; i < count; ++i) x[i] = exact_mul(x[i], inverse);
    store_codes(to, x);
}
template <class T>
__device__ __forceinline__ std::uint8_t compressed(T x, float inverse) {
    return float8_e4m3(exact_mul(static_cast<float>(x), inverse)).bits;
}

// To fp8 with a scale for every 128 columns. A block's vectors lie beside each other in a warp, in 32 lanes (fp32) or
// in half of them (bf16).
template <class T>
__global__ void __launch_bounds__(rows_block)
    compress_blocks(Rows<const T> from, RowSource source, Rows<std::uint8_t> codes, Rows<float> scales) {
    constexpr int count = Vector<T>::count, each = compressed_vectors;
    constexpr int block_lanes = 128 / count;
    const int lane = static_cast<int>(threadIdx.x % warp_lanes);
    const RowPart part = row_part(from.cols, each, count);
    const std::int64_t vectors = from.cols / count, cols = from.cols;
    for (std::int64_t r = part.first_row; r < codes.rows; r += part.row_stride) {
        const std::int64_t row = source.of(r);
        if (row < 0) continue;  // for all lanes of the warp
        const T* const in = from.row(row);
        std::uint8_t* const out = codes.row(r);
        uint4 held[each];
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            held[i] = v < vectors ? load_vector(in, v) : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i), begin = v * count;
            if (begin - static_cast<std::int64_t>(lane) * count >= cols) break;  // for all lanes
            float x[count];
            Vector<T>::widen(held[i], x);
            unsigned largest = largest_of(x, least_magnitude);
            // The lane whose vector would reach beyond the row has its few elements alone.
            const bool partial = v >= vectors && begin < cols;
            if (partial)
                for (std::int64_t c = begin; c < cols; ++c)
                    largest = max(largest, counted_magnitude(static_cast<float>(in[c])));
#pragma unroll
            for (int step = block_lanes / 2; step > 0; step /= 2)
                largest = max(largest, __shfl_xor_sync(full_warp, largest, step));
            const float inverse = inverse_scale_for(largest);
            if (v < vectors) store_compressed(out + begin, x, inverse);
            if (partial)
                for (std::int64_t c = begin; c < cols; ++c) out[c] = compressed(in[c], inverse);
            if (lane % block_lanes == 0 && begin < cols) scales.row(r)[begin / 128] = scale_for(largest);
        }
    }
}

// To fp8 with one scale a row: a block of threads for each, which keeps the beginning of the row in registers; what is
// longer than that is read twice, the second time from caches.
template <class T>
__global__ void __launch_bounds__(rows_block)
    compress_rows(Rows<const T> from, RowSource source, Rows<std::uint8_t> codes, Rows<float> scales) {
    constexpr int count = Vector<T>::count, kept = 4;
    MOESIM_SHARED(of_warps, unsigned[warps_of_block]);
    const std::int64_t vectors = from.cols / count, tail = vectors * count + threadIdx.x;
    for (std::int64_t r = blockIdx.x; r < codes.rows; r += gridDim.x) {
        const std::int64_t row = source.of(r);
        if (row < 0) continue;  // for the whole block
        const T* const in = from.row(row);
        std::uint8_t* const out = codes.row(r);
        unsigned largest = least_magnitude;
        uint4 held[kept];
        float x[count];
#pragma unroll
        for (int i = 0; i < kept; ++i) {
            const std::int64_t v = threadIdx.x + i * static_cast<std::int64_t>(rows_block);
            held[i] = v < vectors ? load_vector(in, v) : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (const uint4& vector : held) {
            Vector<T>::widen(vector, x);
            largest = largest_of(x, largest);
        }
        for (std::int64_t v = threadIdx.x + kept * static_cast<std::int64_t>(rows_block); v < vectors;
             v += rows_block) {
            Vector<T>::widen(load_vector(in, v), x);
            largest = largest_of(x, largest);
        }
        if (tail < from.cols) largest = max(largest, counted_magnitude(static_cast<float>(in[tail])));

        largest = __reduce_max_sync(full_warp, largest);
        if (threadIdx.x % warp_lanes == 0) of_warps[threadIdx.x / warp_lanes] = largest;
        __syncthreads();
#pragma unroll
        for (unsigned w = 0; w < warps_of_block; ++w) largest = max(largest, of_warps[w]);
        __syncthreads();  // before the next row's are written

        const float inverse = inverse_scale_for(largest);
#pragma unroll
        for (int i = 0; i < kept; ++i) {
            const std::int64_t v = threadIdx.x + i * static_cast<std::int64_t>(rows_block);
            Vector<T>::widen(held[i], x);
            if (v < vectors) store_compressed(out + v * count, x, inverse);
        }
        for (std::int64_t v = threadIdx.x + kept * static_cast<std::int64_t>(rows_block); v < vectors;
             v += rows_block) {
            Vector<T>::widen(load_vector(in, v), x);
            store_compressed(out + v * count, x, inverse);
        }
        if (tail < from.cols) out[tail] = compressed(in[tail], inverse);
        if (threadIdx.x == 0) scales.row(r)[0] = scale_for(largest);
    }
}

// From fp8. `block_vectors`: vectors of T to a scale.
template <class T>
__global__ void __launch_bounds__(rows_block) expand_rows(Rows<const std::uint8_t> codes, Rows<const float> scales,
                                                          unsigned block_vectors, RowSource source, Rows<T> to) {
    constexpr int count = Vector<T>::count, each = copied_vectors;
    const RowPart part = row_part(to.cols, each, count);
    const std::int64_t vectors = to.cols / count;
    const auto scale_of = [&](const float* of_row, std::int64_t vector) {
        return of_row[block_vectors == 0 ? 0 : static_cast<unsigned>(vector) / block_vectors];
    };
    for (std::int64_t r = part.first_row; r < to.rows; r += part.row_stride) {
        const std::int64_t row = source.of(r);
        const std::uint8_t* const in = codes.row(row < 0 ? 0 : row);
        const float* const scale = scales.row(row < 0 ? 0 : row);
        T* const out = to.row(r);
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            if (v >= vectors) break;
            float x[count] = {};
            if (row >= 0) {
                load_codes(in + v * count, x);
                const float s = scale_of(scale, v);
#pragma unroll
                for (int j = 0; j < count; ++j) x[j] = exact_mul(x[j], s);
            }
            store_vector(out, v, Vector<T>::narrow(x));
        }
        if (part.tail >= 0)
            out[part.tail] = T(row < 0 ? 0.0F : exact_mul(decoded(in[part.tail]), scale_of(scale, part.tail / count)));
    }
}

// What a token's places ask for: weight times row, in this order. Without slots, place c has row c.
struct Places {
    const std::int32_t* __restrict__ slot;
    const float* __restrict__ weight;
    std::int64_t width, rows;
    // -1 where there is none.
    [[nodiscard]] __device__ __forceinline__ std::int64_t row(std::int64_t c) const {
        const std::int64_t s = slot == nullptr ? c : slot[c];
        return s >= 0 && s < rows ? s : -1;
    }
};

template <int count>
__device__ __forceinline__ void add_weighted(float (&sum)[count], const float (&x)[count], float weight) {
#pragma unroll
    for (int j = 0; j < count; ++j) sum[j] = exact_add(sum[j], exact_mul(weight, x[j]));
}

template <class T>
__global__ void __launch_bounds__(rows_block) combine_rows(Rows<const T> results, Places places, Rows<T> to) {
    constexpr int count = Vector<T>::count, each = combined_vectors, at_once = combined_rows;
    const RowPart part = row_part(to.cols, each, count);
    const std::int64_t vectors = to.cols / count;
    for (std::int64_t t = part.first_row; t < to.rows; t += part.row_stride) {
        const std::int64_t begin = t * places.width, end = begin + places.width;
        float sum[each][count] = {}, tail = 0;
        for (std::int64_t first = begin; first < end; first += at_once) {
            std::int64_t row[at_once];
            float weight[at_once];
            uint4 held[at_once][each];
#pragma unroll
            for (int p = 0; p < at_once; ++p) {
                row[p] = first + p < end ? places.row(first + p) : -1;
                if (row[p] < 0) continue;
                weight[p] = places.weight[first + p];
#pragma unroll
                for (int i = 0; i < each; ++i) {
                    const std::int64_t v = part.vector(i);
                    if (v < vectors) held[p][i] = load_vector(results.row(row[p]), v);
                }
            }
#pragma unroll
            for (int p = 0; p < at_once; ++p) {
                if (row[p] < 0) continue;
#pragma unroll
                for (int i = 0; i < each; ++i) {
                    float x[count];
                    Vector<T>::widen(held[p][i], x);
                    add_weighted(sum[i], x, weight[p]);
                }
                if (part.tail >= 0)
                    tail = exact_add(tail, exact_mul(weight[p], static_cast<float>(results.row(row[p])[part.tail])));
            }
        }
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            if (v < vectors) store_vector(to.row(t), v, Vector<T>::narrow(sum[i]));
        }
        if (part.tail >= 0) to.row(t)[part.tail] = T(tail);
    }
}

// In place: each vector is read and written by one lane.
template <class T>
__global__ void __launch_bounds__(rows_block) round_rows(const float* __restrict__ weights, Grid grid, Rows<T> rows) {
    constexpr int count = Vector<T>::count, each = copied_vectors;
    const RowPart part = row_part(rows.cols, each, count);
    const std::int64_t vectors = rows.cols / count;
    for (std::int64_t r = part.first_row; r < rows.rows; r += part.row_stride) {
        const float weight = weights[r];
        T* const row = rows.row(r);
        uint4 held[each];
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            if (v < vectors) held[i] = load_vector(row, v);
        }
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            if (v >= vectors) break;
            float x[count];
            Vector<T>::widen(held[i], x);
#pragma unroll
            for (int j = 0; j < count; ++j) x[j] = grid.nearest(exact_mul(weight, x[j]));
            store_vector(row, v, Vector<T>::narrow(x));
        }
        if (part.tail >= 0) row[part.tail] = T(grid.nearest(exact_mul(weight, static_cast<float>(row[part.tail]))));
    }
}

// `to` may be a or b: each vector is read before it is written, by the same lane.
template <class T>
__global__ void __launch_bounds__(rows_block) add_rows(Rows<const T> a, Rows<const T> b, Rows<T> to) {
    constexpr int count = Vector<T>::count, each = copied_vectors;
    const RowPart part = row_part(to.cols, each, count);
    const std::int64_t vectors = to.cols / count;
    for (std::int64_t r = part.first_row; r < to.rows; r += part.row_stride) {
        uint4 held[2][each];
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            if (v >= vectors) break;
            held[0][i] = load_vector(a.row(r), v);
            held[1][i] = load_vector(b.row(r), v);
        }
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            if (v >= vectors) break;
            float x[count], y[count];
            Vector<T>::widen(held[0][i], x);
            Vector<T>::widen(held[1][i], y);
#pragma unroll
            for (int j = 0; j < count; ++j) x[j] = exact_add(x[j], y[j]);
            store_vector(to.row(r), v, Vector<T>::narrow(x));
        }
        if (part.tail >= 0)
            to.row(r)[part.tail] =
                T(exact_add(static_cast<float>(a.row(r)[part.tail]), static_cast<float>(b.row(r)[part.tail])));
    }
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
