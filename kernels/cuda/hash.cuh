#pragma once
// Selection without a gate: HashSelection in kernels/selection.hpp.
#include "kernels/shim/cuda.hpp"
// First the line above: it defines CUDA's words where nvcc does not compile.
#include "kernels/cuda/side.hpp"
#include "kernels/selection.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr int hash_block = 256;
inline constexpr unsigned hashed_together = 8;  // choices of a thread: 16 bytes of ids

// Choice c gets expert (first + c) mod experts; first < 2^16, choices < 2^31. in_vectors: both arrays begin at
// multiples of 16 bytes.
__global__ void __launch_bounds__(hash_block)
    select_by_position(unsigned first, unsigned experts, unsigned choices, float weight, bool in_vectors,
                       ExpertIndex* chosen, float* weights) {
    const unsigned begin = (blockIdx.x * static_cast<unsigned>(hash_block) + threadIdx.x) * hashed_together;
    if (begin >= choices) return;
    unsigned id[hashed_together];
    unsigned next = (first + begin) % experts;
#pragma unroll
    for (unsigned& i : id) {
        i = next;
        next = next + 1 == experts ? 0 : next + 1;
    }
    if (in_vectors && begin + hashed_together <= choices) {
        *reinterpret_cast<uint4*>(chosen + begin) =
            make_uint4(id[0] | id[1] << 16, id[2] | id[3] << 16, id[4] | id[5] << 16, id[6] | id[7] << 16);
        float4* const to = reinterpret_cast<float4*>(weights + begin);
        to[0] = to[1] = make_float4(weight, weight, weight, weight);
        return;
    }
#pragma unroll
    for (unsigned i = 0; i < hashed_together; ++i)
        if (begin + i < choices) {
            chosen[begin + i] = static_cast<ExpertIndex>(id[i]);
            weights[begin + i] = weight;
        }
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
