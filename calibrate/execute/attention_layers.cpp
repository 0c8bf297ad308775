#include "calibrate/execute/attention_layers.hpp"

#include <cmath>

namespace moesim {
namespace {

constexpr auto bf16 = kernels::Scalar::bf16;

// Columns `first` to first + cols of a table.
kernels::ConstMatrixView columns(kernels::ConstMatrixView table, std::int64_t first, std::int64_t cols) {
    const auto* const data = static_cast<const char*>(table.data) + first * bytes_of(table.scalar);
    return {data, table.scalar, table.rows, cols, table.stride};
}

}  // namespace

AttentionLayers::AttentionLayers(const Scenario& s, const std::vector<Range>& tokens, kernels::Backend& backend,
                                 kernels::Stream& stream)
    : model_(s.model) {
    if (!model_.attention) return;
    const MadeModel made(s);
    const AttentionSpec& a = *model_.attention;
    const std::int64_t q = a.heads * a.head_dim, kv = a.kv_heads * a.head_dim, hidden = model_.hidden;
    const auto up = [&](std::int64_t rows, std::int64_t cols, const std::vector<float>& values) {
        return kernels::upload(backend, stream, bf16, rows, cols, values);
    };
    for (std::size_t l = 0; l < static_cast<std::size_t>(model_.moe_layers); ++l) {
        blocks_.emplace_back();
        for (std::int64_t b = 0; b <= model_.dense_layers_per_moe_layer; ++b) {
            Block block;
            block.qkv = up(q + 2 * kv, hidden, made.dense_matrix(l, 4 * b, q + 2 * kv, hidden));
            block.out = up(hidden, q, made.dense_matrix(l, 4 * b + 1, hidden, q));
            if (b < model_.dense_layers_per_moe_layer) {
                const std::int64_t inner = (model_.gated ? 2 : 1) * model_.dense_ffn;
                block.gate_up = up(inner, hidden, made.dense_matrix(l, 4 * b + 2, inner, hidden));
                block.down = up(hidden, model_.dense_ffn, made.dense_matrix(l, 4 * b + 3, hidden, model_.dense_ffn));
            }
            for (const Range& run : tokens) {
                const std::int64_t length = s.batch.tokens_per_sequence, sequences = run.size() / length;
                std::vector<float> k, v;
                for (std::int64_t i = 0; s.batch.context > 0 && i < sequences; ++i)
                    made.context(l, b, (run.begin - s.batch.first_token) / length + i, s.batch.context * kv, k, v);
                block.context_k.push_back(up(sequences * s.batch.context, kv, k));
                block.context_v.push_back(up(sequences * s.batch.context, kv, v));
            }
            blocks_.back().push_back(std::move(block));
        }
    }
    for (const Range& run : tokens) {
        Memory m;
        m.projected = kernels::Matrix(backend, bf16, run.size(), q + 2 * kv);
        m.attended = kernels::Matrix(backend, bf16, run.size(), q);
        m.added = kernels::Matrix(backend, bf16, run.size(), hidden);
        for (std::int64_t begin = 0; begin <= run.size(); begin += s.batch.tokens_per_sequence)
            m.sequence_begin.push_back(begin);
        memory_.push_back(std::move(m));
    }
}

void AttentionLayers::run(kernels::Backend& backend, kernels::Stream& stream, std::size_t layer, std::size_t run,
                          kernels::MatrixView x) {
    if (!model_.attention || x.rows == 0) return;
    kernels::Operations& ops = backend.operations();
    const AttentionSpec& a = *model_.attention;
    const std::int64_t q = a.heads * a.head_dim, kv = a.kv_heads * a.head_dim;
    const kernels::AttentionRules rules{a.heads, a.kv_heads, a.head_dim, a.causal,
                                        1 / std::sqrt(static_cast<float>(a.head_dim))};
    Memory& m = memory_[run];
    const std::int64_t whole[] = {0, x.rows};
    for (Block& block : blocks_[layer]) {
        ops.dense(stream, x, block.qkv.view(), m.projected.view());
        const kernels::ConstMatrixView projected = m.projected.view();
        ops.attention(stream, rules,
                      {columns(projected, 0, q), columns(projected, q, kv), columns(projected, q + kv, kv),
                       m.sequence_begin, block.context_k[run].view(), block.context_v[run].view()},
                      m.attended.view());
        ops.dense(stream, m.attended.view(), block.out.view(), m.added.view());
        ops.add_residual(stream, x, m.added.view(), x);
        if (block.down.view().rows == 0) continue;
        const auto activation = model_.gated ? kernels::Activation::swiglu : kernels::Activation::gelu;
        ops.expert_forward(stream, x, whole, {activation, block.gate_up.view(), block.down.view(), {}, {}},
                           m.added.view());
        ops.add_residual(stream, x, m.added.view(), x);
    }
}

}  // namespace moesim
