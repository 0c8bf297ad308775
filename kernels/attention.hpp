#pragma once
// Attention of whole sequences, with as many or fewer heads of keys as of queries (Ainslie et al., "GQA", EMNLP 2023):
//
//   out[t][h] = sum over j of p[j] v[j][h'],  p = softmax over j of scale * q[t][h] . k[j][h']
//
// where head h of the queries looks at head h' = h / (heads / kv_heads) of keys and values, and the j are the tokens
// that token t sees: of its sequence's context all; of its sequence all, or, where attention is causal, those up to
// itself.
#include <cstdint>
#include <span>

#include "kernels/view.hpp"

namespace moesim::kernels {

struct AttentionRules {
    std::int64_t heads = 1, kv_heads = 1;  // kv_heads divides heads
    std::int64_t dim = 1;                  // of a head, 1 to most_head_dim
    bool causal = true;
    float scale = 1;  // as a rule 1 / sqrt(dim)
};
inline constexpr std::int64_t most_head_dim = 256, most_kv_heads = 65'535;

// Head h is columns h * dim to (h + 1) * dim. q, k and v may be column ranges of one table.
struct AttentionView {
    ConstMatrixView q;     // [token][heads * dim]
    ConstMatrixView k, v;  // [token][kv_heads * dim]
    // [sequences + 1], in the host's memory: from 0, ascending, to the number of tokens.
    std::span<const std::int64_t> sequence_begin;
    // What came before each sequence: [sequences * context][kv_heads * dim], or of nothing.
    ConstMatrixView context_k, context_v;

    [[nodiscard]] std::int64_t sequences() const { return static_cast<std::int64_t>(sequence_begin.size()) - 1; }
    // Tokens before each sequence.
    [[nodiscard]] std::int64_t context() const { return sequences() > 0 ? context_k.rows / sequences() : 0; }
};

}  // namespace moesim::kernels
