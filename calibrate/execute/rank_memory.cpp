#include "calibrate/execute/rank_memory.hpp"

#include <algorithm>

#include "base/as_size.hpp"

namespace moesim {
namespace {

using kernels::Array;
using Table = kernels::Matrix;
using kernels::Scalar;

template <class T>
std::int64_t count(const std::vector<T>& v) {
    return static_cast<std::int64_t>(v.size());
}

// Rows of the token table of the run that unpack() makes: [token][width], those that a token has, one after another.
std::vector<std::int32_t> copies_table(const std::vector<std::int32_t>& copies, std::int64_t& width) {
    width = 1;
    for (const std::int32_t n : copies) width = std::max<std::int64_t>(width, n);
    std::vector<std::int32_t> table(copies.size() * as_size(width), -1);
    std::int32_t next = 0;
    for (std::size_t t = 0; t < copies.size(); ++t)
        for (std::int32_t i = 0; i < copies[t]; ++i) table[t * as_size(width) + static_cast<std::size_t>(i)] = next++;
    return table;
}

class Maker {
  public:
    Maker(const WorkPlan& plan, const MadeModel& model, kernels::Backend& backend, kernels::Stream& stream)
        : plan_(plan), s_(plan.result.plan.scenario), model_(model), backend_(backend), stream_(stream) {}

    RankMemory make() {
        make_weights();
        make_tables();
        make_memory();
        return std::move(made_);
    }

  private:
    template <class T>
    Array<T> up(const std::vector<T>& host) {
        return kernels::upload(backend_, stream_, std::span<const T>(host));
    }
    Table up(std::int64_t rows, std::int64_t cols, const std::vector<float>& host, Scalar scalar = Scalar::bf16) {
        return kernels::upload(backend_, stream_, scalar, rows, cols, host);
    }

    void make_weights() {
        const ModelSpec& m = s_.model;
        const std::int64_t inputs = m.gated ? 2 : 1;
        for (std::size_t l = 0; l < as_size(m.moe_layers); ++l) {
            const auto& experts = plan_.batches[l][0].experts;
            LayerWeights w;
            w.gate = up(m.experts, m.hidden, model_.gate(l));
            w.gate_up = up(count(experts) * inputs * m.expert_ffn, m.hidden, model_.gate_up(l, experts));
            w.down = up(count(experts) * m.hidden, m.expert_ffn, model_.down(l, experts));
            if (m.shared_experts > 0) {
                const std::int64_t inner = m.shared_experts * m.shared_ffn;
                w.shared_gate_up = up(inputs * inner, m.hidden, model_.shared_gate_up(l));
                w.shared_down = up(m.hidden, inner, model_.shared_down(l));
            }
            made_.weights.push_back(std::move(w));
        }
    }

    void make_tables() {
        for (std::size_t l = 0; l < plan_.batches.size(); ++l) {
            made_.logits.emplace_back();
            made_.tables.emplace_back();
            made_.rank_of.emplace_back();
            for (std::size_t m = 0; m < plan_.batches[l].size(); ++m) {
                const BatchWork& b = plan_.batches[l][m];
                made_.logits[l].push_back(up(plan_.batch_tokens[m].size(), s_.model.experts,
                                             model_.logits(l, b.routing, plan_.batch_tokens[m].begin), Scalar::fp32));
                made_.rank_of[l].push_back(up(std::vector<std::int32_t>(b.rank_of.begin(), b.rank_of.end())));
                made_.tables[l].emplace_back();
                for (const ChunkRows& c : b.chunks) made_.tables[l][m].push_back(tables_of(c));
            }
        }
    }
    ChunkTables tables_of(const ChunkRows& c) {
        ChunkTables t;
        t.pack_local = up(c.pack_local);
        t.pack_sent = up(c.pack_sent);
        t.gather = up(c.gather);
        t.sum = up(c.sum);
        t.unpack = up(c.unpack);
        t.weights = up(c.weights);
        t.copies = up(copies_table(c.copies, t.copies_width));
        for (const ChunkRows::Back& back : c.back) t.back.push_back(up(back.terms));
        return t;
    }

    void make_memory() {
        const std::int64_t hidden = s_.model.hidden, alignment = backend_.operations().row_alignment();
        for (std::size_t m = 0; m < plan_.batch_tokens.size(); ++m) {
            const std::int64_t tokens = plan_.batch_tokens[m].size();
            made_.batches.push_back(batch_memory(m, tokens));
            made_.chunks.emplace_back();
            for (std::size_t c = 0; c < plan_.tokens[m].size(); ++c) {
                std::int64_t sent = 0, stored = 0, forwarded = 0, computed = 0, sums = 0, back = 0, copies = 0;
                for (const auto& layer : plan_.batches) {
                    const ChunkRows& r = layer[m].chunks[c];
                    std::int64_t on = 0;
                    for (const auto& f : r.forwarded) on += count(f.rows);
                    sent = std::max(sent, count(r.pack_sent));
                    stored = std::max(stored, r.stored);
                    forwarded = std::max(forwarded, on);
                    computed = std::max(computed, count(r.gather));
                    sums = std::max(sums, r.sums);
                    back = std::max(back, r.stored - r.local);
                    copies = std::max(copies, count(r.unpack));
                }
                ChunkMemory memory;
                memory.sent = PackedRows(backend_, s_.dispatch.dtype, sent, hidden, alignment);
                memory.stored = PackedRows(backend_, s_.dispatch.dtype, stored, hidden, alignment);
                memory.forwarded = PackedRows(backend_, s_.dispatch.dtype, forwarded, hidden, alignment);
                memory.computed = Table(backend_, Scalar::bf16, computed, hidden);
                memory.results = Table(backend_, Scalar::bf16, computed, hidden);
                memory.unpacked = Table(backend_, Scalar::bf16, copies, hidden);
                memory.sums = PackedRows(backend_, Dtype::bf16, sums, hidden, alignment);
                memory.back = PackedRows(backend_, Dtype::bf16, back, hidden, alignment);
                made_.chunks[m].push_back(std::move(memory));
            }
        }
    }
    BatchMemory batch_memory(std::size_t m, std::int64_t tokens) {
        const std::int64_t hidden = s_.model.hidden, experts = s_.model.experts, ranks = s_.parallelism.ranks();
        std::int64_t width = 1;
        for (const auto& layer : plan_.batches)
            width = std::max(width, static_cast<std::int64_t>(layer[m].routing.width));
        BatchMemory b;
        b.tokens = Table(backend_, Scalar::bf16, tokens, hidden);
        b.moe = Table(backend_, Scalar::bf16, tokens, hidden);
        if (s_.model.shared_experts > 0) b.shared = Table(backend_, Scalar::bf16, tokens, hidden);
        b.logits = Table(backend_, Scalar::fp32, tokens, experts);
        b.experts = Array<ExpertIndex>(backend_, tokens * width);
        b.weights = Array<float>(backend_, tokens * width);
        const auto array = [&](std::int64_t n) {
            b.orders.emplace_back(backend_, n);
            return b.orders.back().view();
        };
        if (s_.dispatch.dedup == Dedup::none)
            b.order = {array(experts),   array(experts),        array(ranks),
                       array(ranks + 1), array(tokens * width), array(tokens * width)};
        else
            b.rank_order = {array(ranks), array(ranks + 1), array(tokens * width), array(tokens * width),
                            array(tokens * width)};
        return b;
    }

    const WorkPlan& plan_;
    const Scenario& s_;
    const MadeModel& model_;
    kernels::Backend& backend_;
    kernels::Stream& stream_;
    RankMemory made_;
};

}  // namespace

RankMemory make_rank_memory(const WorkPlan& plan, const MadeModel& model, kernels::Backend& backend,
                            kernels::Stream& stream) {
    return Maker(plan, model, backend, stream).make();
}

}  // namespace moesim
