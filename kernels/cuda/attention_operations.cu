// Attention.
#include <algorithm>

#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/shim/launch.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {
namespace {

template <class T, int parts>
void attend_all(shim::Stream stream, const AttentionRules& rules, const AttentionView& in, const MatrixView& out) {
    AttentionTables<T> tables{in.q.as<T>(),
                              in.k.as<T>(),
                              in.v.as<T>(),
                              in.context_k.as<T>(),
                              in.context_v.as<T>(),
                              out.as<T>(),
                              in.context(),
                              0,
                              static_cast<int>(rules.heads / rules.kv_heads),
                              static_cast<int>(rules.dim),
                              rules.causal,
                              rules.scale};
    for (std::int64_t first = 0; first < in.sequences(); first += most_sequences) {
        const std::int64_t count = std::min(most_sequences, in.sequences() - first);
        SequenceBegins begins = {};
        std::int64_t longest = 0;
        for (std::int64_t s = 0; s <= count; ++s) {
            begins.token[s] = in.sequence_begin[static_cast<std::size_t>(first + s)];
            if (s > 0) longest = std::max(longest, begins.token[s] - begins.token[s - 1]);
        }
        if (longest == 0) continue;
        tables.first_sequence = first;
        shim::launch<attend<T, parts>>(
            {.grid = {blocks_for(longest * tables.group, attention_warps), static_cast<unsigned>(rules.kv_heads),
                      static_cast<unsigned>(count)},
             .block = attention_block,
             .shared_bytes = sizeof(float) * static_cast<std::size_t>(attention_floats(tables.dim)),
             .stream = stream},
            tables, begins);
    }
}

template <class T>
void attend_by(shim::Stream stream, const AttentionRules& rules, const AttentionView& in, const MatrixView& out) {
    if (rules.dim <= 64)
        attend_all<T, 2>(stream, rules, in, out);
    else if (rules.dim <= 128)
        attend_all<T, 4>(stream, rules, in, out);
    else
        attend_all<T, 8>(stream, rules, in, out);
}
static_assert(most_head_dim <= 8 * warp_lanes);

}  // namespace

void CudaOperations::do_attention(Stream& stream, const AttentionRules& rules, const AttentionView& in,
                                  MatrixView out) {
    if (out.rows == 0) return;
    const shim::Stream on = dynamic_cast<CudaStream&>(stream).handle();
    if (out.scalar == Scalar::fp32)
        attend_by<float>(on, rules, in, out);
    else
        attend_by<bfloat16>(on, rules, in, out);
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
