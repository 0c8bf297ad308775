#pragma once
// What happens between an expert's two matrices, and after the second one.
#include "kernels/cuda/vectors.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr int activated_vectors = 2;  // of a lane

// expert.hpp's functions, each operation rounded on its own, as the CPU's are.
struct Swiglu {
    static constexpr bool gated = true;
    static __device__ __forceinline__ float of(float gate, float up) {
        return exact_mul(exact_div(gate, exact_add(1.0F, exact_exp(-gate))), up);
    }
};
struct Gelu {
    static constexpr bool gated = false;
    static __device__ __forceinline__ float of(float, float z) {
        constexpr float twice_root = 1.5957691216057308F;  // 2 sqrt(2 / pi)
        const float cube = exact_mul(exact_mul(exact_mul(0.044715F, z), z), z);
        return exact_div(z, exact_add(1.0F, exact_exp(exact_mul(-twice_root, exact_add(z, cube)))));
    }
};

// to[r][i] = function(z[r][i], z[r][up + i]), rounded to T; without a gate, function(z[r][i]) alone. Rows of z, and
// `up` in them, begin at multiples of 16 bytes.
template <class Function, class T>
__global__ void __launch_bounds__(rows_block) activate_rows(Rows<const float> z, std::int64_t up, Rows<T> to) {
    constexpr int count = Vector<T>::count, each = activated_vectors, reads = count / 4;
    const RowPart part = row_part(to.cols, each, count);
    const std::int64_t vectors = to.cols / count;
    for (std::int64_t r = part.first_row; r < to.rows; r += part.row_stride) {
        const float* const gate_row = z.row(r);
        const float* const up_row = Function::gated ? gate_row + up : gate_row;
        uint4 held[each][2][reads];
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            if (v >= vectors) break;
#pragma unroll
            for (int j = 0; j < reads; ++j) {
                held[i][0][j] = load_vector(up_row, v * reads + j);
                if (Function::gated) held[i][1][j] = load_vector(gate_row, v * reads + j);
            }
        }
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            if (v >= vectors) break;
            float x[count];
#pragma unroll
            for (int j = 0; j < reads; ++j) {
                float ups[4], gates[4] = {};
                Vector<float>::widen(held[i][0][j], ups);
                if (Function::gated) Vector<float>::widen(held[i][1][j], gates);
#pragma unroll
                for (int l = 0; l < 4; ++l) x[4 * j + l] = Function::of(gates[l], ups[l]);
            }
            store_vector(to.row(r), v, Vector<T>::narrow(x));
        }
        if (part.tail >= 0) to.row(r)[part.tail] = T(Function::of(gate_row[part.tail], up_row[part.tail]));
    }
}

// to = from, rounded to bf16.
__global__ void __launch_bounds__(rows_block) narrow_rows(Rows<const float> from, Rows<bfloat16> to) {
    constexpr int count = Vector<bfloat16>::count, each = activated_vectors;
    const RowPart part = row_part(to.cols, each, count);
    const std::int64_t vectors = to.cols / count;
    for (std::int64_t r = part.first_row; r < to.rows; r += part.row_stride) {
#pragma unroll
        for (int i = 0; i < each; ++i) {
            const std::int64_t v = part.vector(i);
            if (v >= vectors) break;
            float low[4], high[4];
            Vector<float>::widen(load_vector(from.row(r), 2 * v), low);
            Vector<float>::widen(load_vector(from.row(r), 2 * v + 1), high);
            const float x[count] = {low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]};
            store_vector(to.row(r), v, Vector<bfloat16>::narrow(x));
        }
        if (part.tail >= 0) to.row(r)[part.tail] = bfloat16(from.row(r)[part.tail]);
    }
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
