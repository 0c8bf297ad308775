#include "calibrate/execute/kernel_work.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/random.hpp"
#include "calibrate/execute/attention_layers.hpp"
#include "calibrate/execute/packed_rows.hpp"

namespace moesim {
namespace {

using kernels::Array;
using kernels::ArrayView;
using kernels::ConstMatrixView;
using Table = kernels::Matrix;
using kernels::MatrixView;
using kernels::Scalar;

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
template <class T>
std::int64_t count(const std::vector<T>& v) {
    return static_cast<std::int64_t>(v.size());
}

// A chunk's tables of rows, in the backend's memory.
struct ChunkTables {
    Array<std::int32_t> pack_local, pack_sent, gather, sum, unpack, copies;
    Array<float> weights;
    std::int64_t copies_width = 1;
    std::vector<Array<std::int32_t>> back;  // [received message]: of nothing where a run goes back
};

// The weights of one layer.
struct LayerWeights {
    Table gate, gate_up, down, shared_gate_up, shared_down;
};

// The memory of one chunk of a micro-batch, used by layer after layer.
struct ChunkMemory {
    PackedRows sent, stored, forwarded;
    Table computed, results, unpacked;
    PackedRows sums, back;
};

// One micro-batch.
struct BatchMemory {
    Table tokens, moe, shared, logits;
    kernels::DispatchOrderView order;
    kernels::RankOrderView rank_order;
    Array<ExpertIndex> experts;
    Array<float> weights;
    std::vector<Array<std::int32_t>> orders;
};

// Rows of the token table of the run that unpack() makes: [token][width], those that a token has, one after another.
std::vector<std::int32_t> copies_table(const std::vector<std::int32_t>& copies, std::int64_t& width) {
    width = 1;
    for (const std::int32_t n : copies) width = std::max<std::int64_t>(width, n);
    std::vector<std::int32_t> table(copies.size() * size(width), -1);
    std::int32_t next = 0;
    for (std::size_t t = 0; t < copies.size(); ++t)
        for (std::int32_t i = 0; i < copies[t]; ++i) table[t * size(width) + static_cast<std::size_t>(i)] = next++;
    return table;
}

const MessageRows& run_of(const std::vector<MessageRows>& runs, std::uint32_t message) {
    const auto found = std::lower_bound(runs.begin(), runs.end(), message,
                                        [](const MessageRows& run, std::uint32_t m) { return run.message < m; });
    if (found == runs.end() || found->message != message) throw InternalError("a message without rows on its rank");
    return *found;
}

}  // namespace

struct KernelWork::State {
    State(const WorkPlan& p, RankId r, kernels::Backend& b)
        : plan(p), s(p.result.plan.scenario), rank(r), backend(b), model(s), compute_stream(b.make_stream()),
          message_stream(b.make_stream()), ops(b.operations()), attention(s, p.batch_tokens, b, *compute_stream) {}

    const WorkPlan& plan;
    const Scenario& s;
    RankId rank;
    kernels::Backend& backend;
    MadeModel model;
    std::unique_ptr<kernels::Stream> compute_stream, message_stream;
    kernels::Operations& ops;
    AttentionLayers attention;
    std::vector<LayerWeights> weights;       // [layer]
    std::vector<std::vector<Table>> logits;  // [layer][micro-batch]: that give the scenario's routing
    std::vector<std::vector<std::vector<ChunkTables>>> tables;  // [layer][micro-batch][chunk]
    std::vector<BatchMemory> batches;                           // [micro-batch]
    std::vector<std::vector<ChunkMemory>> chunks;               // [micro-batch][chunk]
    std::vector<std::vector<Array<std::int32_t>>> rank_of;      // [layer][micro-batch]
    std::vector<bool> is_shared;                                // [compute task]
    std::vector<float> first_values;
    bool check = false;

    [[nodiscard]] const ChunkRows& rows(const Label& l) const {
        return plan.batches[l.layer][l.micro_batch].chunks[l.chunk];
    }
    [[nodiscard]] ChunkMemory& memory(const Label& l) { return chunks[l.micro_batch][l.chunk]; }
    [[nodiscard]] ChunkTables& table(const Label& l) { return tables[l.layer][l.micro_batch][l.chunk]; }

    template <class T>
    Array<T> up(const std::vector<T>& host) {
        return kernels::upload(backend, *compute_stream, std::span<const T>(host));
    }
    Table up(std::int64_t rows, std::int64_t cols, const std::vector<float>& host, Scalar scalar = Scalar::bf16) {
        return kernels::upload(backend, *compute_stream, scalar, rows, cols, host);
    }

    void make_weights() {
        const ModelSpec& m = s.model;
        const std::int64_t inputs = m.gated ? 2 : 1;
        for (std::size_t l = 0; l < size(m.moe_layers); ++l) {
            const auto& experts = plan.batches[l][0].experts;
            LayerWeights w;
            w.gate = up(m.experts, m.hidden, model.gate(l));
            w.gate_up = up(count(experts) * inputs * m.expert_ffn, m.hidden, model.gate_up(l, experts));
            w.down = up(count(experts) * m.hidden, m.expert_ffn, model.down(l, experts));
            if (m.shared_experts > 0) {
                const std::int64_t inner = m.shared_experts * m.shared_ffn;
                w.shared_gate_up = up(inputs * inner, m.hidden, model.shared_gate_up(l));
                w.shared_down = up(m.hidden, inner, model.shared_down(l));
            }
            weights.push_back(std::move(w));
        }
    }

    void make_tables() {
        for (std::size_t l = 0; l < plan.batches.size(); ++l) {
            logits.emplace_back();
            tables.emplace_back();
            rank_of.emplace_back();
            for (std::size_t m = 0; m < plan.batches[l].size(); ++m) {
                const BatchWork& b = plan.batches[l][m];
                logits[l].push_back(up(plan.batch_tokens[m].size(), s.model.experts,
                                       model.logits(l, b.routing, plan.batch_tokens[m].begin), Scalar::fp32));
                rank_of[l].push_back(up(std::vector<std::int32_t>(b.rank_of.begin(), b.rank_of.end())));
                tables[l].emplace_back();
                for (const ChunkRows& c : b.chunks) tables[l][m].push_back(tables_of(c));
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
        const std::int64_t hidden = s.model.hidden, alignment = ops.row_alignment();
        for (std::size_t m = 0; m < plan.batch_tokens.size(); ++m) {
            const std::int64_t tokens = plan.batch_tokens[m].size();
            batches.push_back(batch_memory(m, tokens));
            chunks.emplace_back();
            for (std::size_t c = 0; c < plan.tokens[m].size(); ++c) {
                std::int64_t sent = 0, stored = 0, forwarded = 0, computed = 0, sums = 0, back = 0, copies = 0;
                for (const auto& layer : plan.batches) {
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
                memory.sent = PackedRows(backend, s.dispatch.dtype, sent, hidden, alignment);
                memory.stored = PackedRows(backend, s.dispatch.dtype, stored, hidden, alignment);
                memory.forwarded = PackedRows(backend, s.dispatch.dtype, forwarded, hidden, alignment);
                memory.computed = Table(backend, Scalar::bf16, computed, hidden);
                memory.results = Table(backend, Scalar::bf16, computed, hidden);
                memory.unpacked = Table(backend, Scalar::bf16, copies, hidden);
                memory.sums = PackedRows(backend, Dtype::bf16, sums, hidden, alignment);
                memory.back = PackedRows(backend, Dtype::bf16, back, hidden, alignment);
                chunks[m].push_back(std::move(memory));
            }
        }
    }
    BatchMemory batch_memory(std::size_t m, std::int64_t tokens) {
        const std::int64_t hidden = s.model.hidden, experts = s.model.experts, ranks = s.parallelism.ranks();
        std::int64_t width = 1;
        for (const auto& layer : plan.batches)
            width = std::max(width, static_cast<std::int64_t>(layer[m].routing.width));
        BatchMemory b;
        b.tokens = Table(backend, Scalar::bf16, tokens, hidden);
        b.moe = Table(backend, Scalar::bf16, tokens, hidden);
        if (s.model.shared_experts > 0) b.shared = Table(backend, Scalar::bf16, tokens, hidden);
        b.logits = Table(backend, Scalar::fp32, tokens, experts);
        b.experts = Array<ExpertIndex>(backend, tokens * width);
        b.weights = Array<float>(backend, tokens * width);
        const auto array = [&](std::int64_t n) {
            b.orders.emplace_back(backend, n);
            return b.orders.back().view();
        };
        if (s.dispatch.dedup == Dedup::none)
            b.order = {array(experts),   array(experts),        array(ranks),
                       array(ranks + 1), array(tokens * width), array(tokens * width)};
        else
            b.rank_order = {array(ranks), array(ranks + 1), array(tokens * width), array(tokens * width),
                            array(tokens * width)};
        return b;
    }

    void name_shared() {
        std::set<std::pair<std::size_t, std::size_t>> seen;
        for (const std::size_t t : plan.local.compute) {
            const Label& l = plan.result.graph.tasks()[plan.local.id[t]].label;
            is_shared.push_back(s.model.shared_experts > 0 && l.stage == Stage::expert &&
                                seen.insert({l.layer, l.micro_batch}).second);
        }
    }

    // Rows of a matrix of the backend, of which only the first may be in use.
    static MatrixView rows_of(Table& m, std::int64_t begin, std::int64_t rows) { return m.view().part(begin, rows); }

    void gate(const Label& l) {
        ops.gate_logits(*compute_stream, batches[l.micro_batch].tokens.view(), weights[l.layer].gate.view(),
                        batches[l.micro_batch].logits.view());
    }
    void select(const Label& l) {
        BatchMemory& b = batches[l.micro_batch];
        const Routing& routing = plan.batches[l.layer][l.micro_batch].routing;
        const std::int64_t tokens = plan.batch_tokens[l.micro_batch].size();
        const auto width = static_cast<std::int64_t>(routing.width);
        kernels::Selection selection;
        selection.top_k = width;
        const kernels::RoutingView out(tokens, width, b.experts.view().part(0, tokens * width),
                                       b.weights.view().part(0, tokens * width));
        ops.select(*compute_stream, selection, logits[l.layer][l.micro_batch].view(), out);
        const auto places = [&](auto view) { return view.part(0, tokens * width); };
        const auto& ranks = rank_of[l.layer][l.micro_batch];
        if (s.dispatch.dedup == Dedup::none) {
            kernels::DispatchOrderView order = b.order;
            order.choice = places(order.choice);
            order.slot = places(order.slot);
            ops.order_by_destination(*compute_stream, out, ranks.view(), order);
        } else {
            kernels::RankOrderView order = b.rank_order;
            order.token = places(order.token);
            order.slot = places(order.slot);
            order.sent = places(order.sent);
            ops.order_by_rank(*compute_stream, out, ranks.view(), order);
        }
        if (check) check_choices(routing, kernels::download<ExpertIndex>(*compute_stream, out.experts));
    }
    static void check_choices(const Routing& wanted, const std::vector<ExpertIndex>& chosen) {
        std::vector<ExpertIndex> expected;
        for (std::size_t t = 0; t < wanted.tokens(); ++t) {
            expected.assign(wanted.width, no_expert);
            std::size_t next = 0;
            for (const ExpertIndex e : wanted.token(t))
                if (e != no_expert) expected[next++] = e;
            for (std::size_t i = 0; i < wanted.width; ++i)
                if (chosen[t * wanted.width + i] != expected[i])
                    throw InternalError("the select kernel chose other experts than the scenario's routing has");
        }
    }
    void pack(const Label& l) {
        const ChunkRows& r = rows(l);
        ChunkMemory& memory = this->memory(l);
        const Range part = plan.tokens[l.micro_batch][l.chunk];
        const MatrixView tokens = rows_of(batches[l.micro_batch].tokens, part.begin, part.size());
        ops.pack(*compute_stream, tokens, table(l).pack_local.view(), 1, memory.stored.view(0, r.local));
        ops.pack(*compute_stream, tokens, table(l).pack_sent.view(), 1, memory.sent.view(0, count(r.pack_sent)));
    }
    void expert(const Label& l) {
        const ChunkRows& r = rows(l);
        ChunkMemory& memory = this->memory(l);
        const std::int64_t rows = count(r.gather);
        const MatrixView computed = rows_of(memory.computed, 0, rows), results = rows_of(memory.results, 0, rows);
        ops.unpack(*compute_stream, memory.stored.view(0, r.stored), table(l).gather.view(), computed);
        const LayerWeights& w = weights[l.layer];
        ops.expert_forward(*compute_stream, computed, r.group_begin,
                           {activation(), w.gate_up.view(), w.down.view(), {}, {}}, results);
        ops.round_products(*compute_stream, table(l).weights.view(), result_step, result_limit(s), results);
        sum_up(*compute_stream, results, table(l).sum, r.sum_width, memory.sums.view(0, r.stored).values);
    }
    // to[i] = the sum of terms[i], of rows of `from`.
    void sum_up(kernels::Stream& stream, ConstMatrixView from, const Array<std::int32_t>& terms, std::int64_t width,
                MatrixView to) {
        if (to.rows == 0) return;
        if (ones.size() < to.rows * width) ones = up(std::vector<float>(size(to.rows * width), 1.0F));
        ops.combine(stream, from, terms.view(), std::as_const(ones).view().part(0, to.rows * width), to);
    }
    void shared(const Label& l) {
        const LayerWeights& w = weights[l.layer];
        BatchMemory& b = batches[l.micro_batch];
        const std::int64_t begin[] = {0, plan.batch_tokens[l.micro_batch].size()};
        ops.expert_forward(*compute_stream, b.tokens.view(), begin,
                           {activation(), w.shared_gate_up.view(), w.shared_down.view(), {}, {}}, b.shared.view());
    }
    void unpack(const Label& l) {
        for (std::size_t c = 0; c < chunks[l.micro_batch].size(); ++c) {
            const ChunkRows& r = plan.batches[l.layer][l.micro_batch].chunks[c];
            ChunkMemory& memory = chunks[l.micro_batch][c];
            ops.unpack(*compute_stream, memory.sums.view(0, r.sums), tables[l.layer][l.micro_batch][c].unpack.view(),
                       rows_of(memory.unpacked, 0, count(r.unpack)));
        }
    }
    void combine(const Label& l) {
        BatchMemory& b = batches[l.micro_batch];
        for (std::size_t c = 0; c < chunks[l.micro_batch].size(); ++c) {
            const ChunkTables& t = tables[l.layer][l.micro_batch][c];
            const Range part = plan.tokens[l.micro_batch][c];
            const std::int64_t rows = count(plan.batches[l.layer][l.micro_batch].chunks[c].unpack);
            sum_up(*compute_stream, rows_of(chunks[l.micro_batch][c].unpacked, 0, rows), t.copies, t.copies_width,
                   rows_of(b.moe, part.begin, part.size()));
        }
        if (s.model.shared_experts > 0) ops.add_residual(*compute_stream, b.moe.view(), b.shared.view(), b.moe.view());
    }
    void residual(const Label& l) {
        BatchMemory& b = batches[l.micro_batch];
        ops.add_residual(*compute_stream, b.tokens.view(), b.moe.view(), b.tokens.view());
    }
    [[nodiscard]] kernels::Activation activation() const {
        return s.model.gated ? kernels::Activation::swiglu : kernels::Activation::gelu;
    }

    // Rows that others brought are put together with those of the rank's own.
    std::span<const std::byte> forward(const Label& l, std::uint32_t message) {
        ChunkMemory& memory = this->memory(l);
        std::int64_t begin = 0;
        for (const ChunkRows::Forwarded& f : rows(l).forwarded) {
            if (f.message == message) {
                for (std::size_t i = 0; i < f.rows.size(); ++i) {
                    std::byte* const from =
                        f.rows[i] >= 0 ? memory.stored.at(f.rows[i]) : memory.sent.at(-1 - f.rows[i]);
                    message_stream->copy(memory.forwarded.at(begin + static_cast<std::int64_t>(i)), from,
                                         memory.sent.row_bytes());
                }
                message_stream->synchronize();
                return memory.forwarded.bytes(begin, count(f.rows));
            }
            begin += count(f.rows);
        }
        throw InternalError("a message without rows on its rank");
    }
    std::span<const std::byte> give_back(const Label& l, std::uint32_t message) {
        const ChunkRows& r = rows(l);
        ChunkMemory& memory = this->memory(l);
        for (std::size_t i = 0; i < r.back.size(); ++i) {
            const ChunkRows::Back& back = r.back[i];
            if (back.run.message != message) continue;
            if (back.terms.empty()) return memory.sums.bytes(back.run.begin, back.run.rows);
            const std::int64_t begin = back.run.begin - r.local;
            sum_up_messages(memory.sums.view(0, r.sums).values, table(l).back[i], back.width,
                            memory.back.view(begin, back.run.rows).values);
            message_stream->synchronize();
            return memory.back.bytes(begin, back.run.rows);
        }
        throw InternalError("a message without rows on its rank");
    }
    void sum_up_messages(ConstMatrixView from, const Array<std::int32_t>& terms, std::int64_t width, MatrixView to) {
        if (message_ones.size() < to.rows * width) {
            const std::vector<float> host(size(to.rows * width), 1.0F);
            message_ones = kernels::upload(backend, *message_stream, std::span<const float>(host));
        }
        ops.combine(*message_stream, from, terms.view(), std::as_const(message_ones).view().part(0, to.rows * width),
                    to);
    }

    Array<float> ones, message_ones;
};

KernelWork::KernelWork(const WorkPlan& plan, RankId rank, kernels::Backend& backend)
    : state_(std::make_unique<State>(plan, rank, backend)) {
    state_->make_weights();
    state_->make_tables();
    state_->make_memory();
    state_->name_shared();
}

KernelWork::~KernelWork() = default;

void KernelWork::begin(bool check) {
    State& s = *state_;
    s.check = check;
    for (std::size_t m = 0; m < s.batches.size(); ++m) {
        const Range tokens = s.plan.batch_tokens[m];
        std::vector<float> values;
        for (std::int64_t t = tokens.begin; t < tokens.end; ++t) s.model.token(t, values);
        s.batches[m].tokens = s.up(tokens.size(), s.s.model.hidden, values);
    }
}

void KernelWork::rehearse() {
    const WorkPlan& plan = state_->plan;
    const auto& tasks = plan.result.graph.tasks();
    begin(false);
    for (std::size_t i = 0; i < plan.local.compute.size(); ++i)
        compute(i, tasks[plan.local.id[plan.local.compute[i]]].label);
    for (const LocalTransfer& t : plan.local.sent) (void)outgoing(tasks[plan.local.id[t.task]].label, t.message);
}

Seconds KernelWork::compute(std::size_t task, const Label& l) {
    State& s = *state_;
    const auto begin = s.compute_stream->record();
    switch (l.stage) {
        case Stage::attention:
            s.attention.run(s.backend, *s.compute_stream, l.layer, l.micro_batch,
                            s.batches[l.micro_batch].tokens.view());
            break;
        case Stage::gate: s.gate(l); break;
        case Stage::select: s.select(l); break;
        case Stage::pack: s.pack(l); break;
        case Stage::expert: s.is_shared[task] ? s.shared(l) : s.expert(l); break;
        case Stage::unpack: s.unpack(l); break;
        case Stage::combine: s.combine(l); break;
        case Stage::residual: s.residual(l); break;
        case Stage::dispatch:
        case Stage::return_: throw InternalError("a message among the compute tasks");
    }
    const auto end = s.compute_stream->record();
    s.compute_stream->synchronize();
    return end->since(*begin);
}

std::span<const std::byte> KernelWork::outgoing(const Label& l, std::uint32_t message) {
    State& s = *state_;
    if (l.stage == Stage::return_) return s.give_back(l, message);
    const auto& sent = s.rows(l).sent;
    const bool own = std::any_of(sent.begin(), sent.end(), [&](const MessageRows& r) { return r.message == message; });
    if (!own) return s.forward(l, message);
    const MessageRows& run = run_of(sent, message);
    return s.memory(l).sent.bytes(run.begin, run.rows);
}

std::span<std::byte> KernelWork::incoming(const Label& l, std::uint32_t message) {
    State& s = *state_;
    const bool out = l.stage == Stage::dispatch;
    const MessageRows& run = run_of(out ? s.rows(l).received : s.rows(l).back_received, message);
    ChunkMemory& memory = s.memory(l);
    return (out ? memory.stored : memory.sums).bytes(run.begin, run.rows);
}

std::uint64_t KernelWork::checksum() {
    State& s = *state_;
    std::uint64_t sum = 0;
    for (std::size_t m = 0; m < s.batches.size(); ++m)
        sum += tokens_hash(s.plan.batch_tokens[m].begin,
                           kernels::download(*s.compute_stream, s.batches[m].tokens.view()), s.s.model.hidden);
    return sum;
}

std::vector<float> KernelWork::tokens() {
    std::vector<float> all;
    for (const BatchMemory& batch : state_->batches) {
        const std::vector<float> values = kernels::download(*state_->compute_stream, batch.tokens.view());
        all.insert(all.end(), values.begin(), values.end());
    }
    return all;
}

std::int64_t KernelWork::sent_row_bytes() const { return state_->chunks[0][0].sent.row_bytes(); }

std::uint64_t token_hash(std::int64_t token, std::span<const float> values) {
    std::uint64_t hash = mix64(static_cast<std::uint64_t>(token) + 1);
    for (const float v : values) hash = mix64(hash ^ std::bit_cast<std::uint32_t>(v));
    return hash;
}

std::uint64_t tokens_hash(std::int64_t first, std::span<const float> values, std::int64_t hidden) {
    std::uint64_t sum = 0;
    for (std::size_t t = 0; t * size(hidden) < values.size(); ++t)
        sum += token_hash(first + static_cast<std::int64_t>(t), values.subspan(t * size(hidden), size(hidden)));
    return sum;
}

}  // namespace moesim
