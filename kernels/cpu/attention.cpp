// Attention, a block of queries and a tile of keys at a time (Dao et al., "FlashAttention", NeurIPS 2022). Tiles begin
// with a sequence's first key, context included, and all have one size, what is missing being zeros: a token's bits
// depend on its own query and on the keys and values that it sees, and on nothing else.
#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/cpu/operations.hpp"
#include "kernels/cpu/parallel.hpp"
#include "kernels/cpu/stream.hpp"

namespace moesim::kernels {
namespace {

constexpr std::int64_t rows_of_block = 64;  // queries times heads that look at the same keys, about

// Some tokens of a sequence, for the heads that look at one head of keys.
struct Block {
    std::int64_t sequence, kv_head, first, queries;  // `first` counts within the sequence
};

class Attention {
  public:
    Attention(const VectorCode& code, const AttentionRules& rules, const AttentionView& in, const MatrixView& out)
        : code_(code), rules_(rules), in_(in), out_(out), group_(rules.heads / rules.kv_heads),
          queries_(std::max<std::int64_t>(rows_of_block / group_, 1)),
          rows_(std::max(product_rows(queries_ * group_, rules.dim), product_rows(queries_ * group_, tile))) {}

    [[nodiscard]] std::vector<Block> blocks() const {
        std::vector<Block> all;
        for (std::int64_t s = 0; s < in_.sequences(); ++s)
            for (std::int64_t h = 0; h < rules_.kv_heads; ++h)
                for (std::int64_t first = 0; first < length(s); first += queries_)
                    all.push_back({s, h, first, std::min(queries_, length(s) - first)});
        return all;
    }
    // Floats of memory for a block.
    [[nodiscard]] std::int64_t memory() const { return rows_ * (2 * rules_.dim + tile) + 2 * tile * rules_.dim; }
    // Operations of all blocks, about, of which a vector does 16 at once.
    [[nodiscard]] std::int64_t work() const {
        std::int64_t keys = 0;
        for (std::int64_t s = 0; s < in_.sequences(); ++s) keys += length(s) * (in_.context() + length(s));
        return keys * rules_.heads * rules_.dim / 8;
    }

    void operator()(const Block& b, float* memory) const {
        const std::int64_t dim = rules_.dim, rows = b.queries * group_;
        float *const q = memory, *const sums = q + rows_ * dim, *const scores = sums + rows_ * dim,
                     *const keys = scores + rows_ * tile, *const values = keys + tile * dim;
        std::fill_n(memory, rows_ * (2 * dim + tile), 0.0F);
        for (std::int64_t r = 0; r < rows; ++r) load(in_.q, token(b, r), head(b, r), q + r * dim);
        std::vector<SoftmaxSoFar> so_far(static_cast<std::size_t>(rows));
        const std::int64_t seen = seen_by(b, b.queries - 1);
        for (std::int64_t begin = 0; begin < seen; begin += tile) {
            const Rows<const float> k = tile_of(in_.context_k, in_.k, b, begin, keys);
            code_.gemm(product_rows(rows, dim), tile, dim, q, dim, k.data, k.stride, scores, tile, false);
            for (std::int64_t r = 0; r < rows; ++r) {
                float* const row = scores + r * tile;
                const std::int64_t of_tile = seen_by(b, r / group_) - begin;
                if (of_tile <= 0) {
                    std::fill_n(row, tile, 0.0F);
                    continue;
                }
                const float factor = code_.softmax_step(row, of_tile, rules_.scale, &so_far[index(r)]);
                code_.multiply_by(factor, sums + r * dim, dim);
            }
            const Rows<const float> v = tile_of(in_.context_v, in_.v, b, begin, values);
            code_.gemm_by_rows(product_rows(rows, tile), dim, tile, scores, tile, v.data, v.stride, sums, dim);
        }
        for (std::int64_t r = 0; r < rows; ++r) {
            code_.multiply_by(1 / so_far[index(r)].sum, sums + r * dim, dim);
            store(sums + r * dim, token(b, r), head(b, r));
        }
    }

  private:
    static constexpr std::int64_t tile = attention_tile;
    static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

    [[nodiscard]] std::int64_t begin_of(std::int64_t s) const { return in_.sequence_begin[index(s)]; }
    [[nodiscard]] std::int64_t length(std::int64_t s) const { return begin_of(s + 1) - begin_of(s); }
    // Rows of a block are its queries, for each of them its heads.
    [[nodiscard]] std::int64_t token(const Block& b, std::int64_t r) const {
        return begin_of(b.sequence) + b.first + r / group_;
    }
    [[nodiscard]] std::int64_t head(const Block& b, std::int64_t r) const { return b.kv_head * group_ + r % group_; }
    [[nodiscard]] std::int64_t seen_by(const Block& b, std::int64_t query) const {
        return in_.context() + (rules_.causal ? b.first + query + 1 : length(b.sequence));
    }

    void load(const ConstMatrixView& table, std::int64_t row, std::int64_t of_head, float* to) const {
        const std::int64_t begin = row * table.stride + of_head * rules_.dim;
        if (table.scalar == Scalar::fp32)
            std::copy_n(static_cast<const float*>(table.data) + begin, rules_.dim, to);
        else
            code_.widen(static_cast<const std::uint16_t*>(table.data) + begin, rules_.dim, to);
    }
    void store(const float* from, std::int64_t row, std::int64_t of_head) const {
        const std::int64_t begin = row * out_.stride + of_head * rules_.dim;
        if (out_.scalar == Scalar::fp32)
            std::copy_n(from, rules_.dim, static_cast<float*>(out_.data) + begin);
        else
            code_.narrow(from, rules_.dim, static_cast<std::uint16_t*>(out_.data) + begin);
    }
    // Keys or values from number `begin` of the sequence on: where they lie, or in `memory`, zeros behind the last.
    [[nodiscard]] Rows<const float> tile_of(const ConstMatrixView& context, const ConstMatrixView& own, const Block& b,
                                            std::int64_t begin, float* memory) const {
        const std::int64_t before = in_.context(), all = before + length(b.sequence);
        const auto row_of = [&](std::int64_t j) {
            return j < before ? b.sequence * before + j : begin_of(b.sequence) + j - before;
        };
        const bool of_one = begin >= before || begin + tile <= before, is_whole = begin + tile <= all;
        if (own.scalar == Scalar::fp32 && of_one && is_whole && rules_.dim > 1) {
            const Rows<const float> from = (begin < before ? context : own).as<float>();
            return {from.row(row_of(begin)) + b.kv_head * rules_.dim, tile, rules_.dim, from.stride};
        }
        const std::int64_t end = std::min(begin + tile, all);
        for (std::int64_t j = begin; j < end; ++j)
            load(j < before ? context : own, row_of(j), b.kv_head, memory + (j - begin) * rules_.dim);
        std::fill_n(memory + (end - begin) * rules_.dim, (begin + tile - end) * rules_.dim, 0.0F);
        return {memory, tile, rules_.dim, rules_.dim};
    }

    const VectorCode& code_;
    const AttentionRules& rules_;
    const AttentionView& in_;
    const MatrixView& out_;
    std::int64_t group_, queries_, rows_;
};

}  // namespace

void CpuOperations::do_attention(Stream& stream, const AttentionRules& rules, const AttentionView& in, MatrixView out) {
    const Attention attention(code_, rules, in, out);
    const std::vector<Block> blocks = attention.blocks();
    const auto count = static_cast<std::int64_t>(blocks.size());
    const int threads = static_cast<int>(std::clamp<std::int64_t>(count, 1, threads_for(threads_, attention.work())));
    const std::int64_t floats = attention.memory();
    float* const memory = dynamic_cast<CpuStream&>(stream).scratch(0, threads * floats);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (std::int64_t i = 0; i < count; ++i)
        attention(blocks[static_cast<std::size_t>(i)], memory + thread_number() * floats);
}

}  // namespace moesim::kernels
