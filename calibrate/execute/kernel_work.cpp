#include "calibrate/execute/kernel_work.hpp"

#include <algorithm>
#include <bit>
#include <set>

#include "base/as_size.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "calibrate/execute/attention_layers.hpp"
#include "calibrate/execute/rank_memory.hpp"

namespace moesim {
namespace {

using kernels::Array;
using kernels::ConstMatrixView;
using Table = kernels::Matrix;
using kernels::MatrixView;
using kernels::Scalar;

template <class T>
std::int64_t count(const std::vector<T>& v) {
    return static_cast<std::int64_t>(v.size());
}

const MessageRows& run_of(const std::vector<MessageRows>& runs, std::uint32_t message) {
    const auto found = std::lower_bound(runs.begin(), runs.end(), message,
                                        [](const MessageRows& run, std::uint32_t m) { return run.message < m; });
    if (found == runs.end() || found->message != message) throw InternalError("a message without rows on its rank");
    return *found;
}

}  // namespace

struct KernelWork::State {
    State(const WorkPlan& p, kernels::Backend& b)
        : plan(p), s(p.result.plan.scenario), backend(b), model(s), compute_stream(b.make_stream()),
          message_stream(b.make_stream()), ops(b.operations()), attention(s, p.batch_tokens, b, *compute_stream),
          held(make_rank_memory(p, model, b, *compute_stream)) {}

    const WorkPlan& plan;
    const Scenario& s;
    kernels::Backend& backend;
    MadeModel model;
    std::unique_ptr<kernels::Stream> compute_stream, message_stream;
    kernels::Operations& ops;
    AttentionLayers attention;
    RankMemory held;
    std::vector<bool> is_shared;  // [compute task]
    bool check = false;

    [[nodiscard]] const ChunkRows& rows(const Label& l) const {
        return plan.batches[l.layer][l.micro_batch].chunks[l.chunk];
    }
    [[nodiscard]] ChunkMemory& memory(const Label& l) { return held.chunks[l.micro_batch][l.chunk]; }
    [[nodiscard]] ChunkTables& table(const Label& l) { return held.tables[l.layer][l.micro_batch][l.chunk]; }

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
        ops.gate_logits(*compute_stream, held.batches[l.micro_batch].tokens.view(), held.weights[l.layer].gate.view(),
                        held.batches[l.micro_batch].logits.view());
    }
    void select(const Label& l) {
        BatchMemory& b = held.batches[l.micro_batch];
        const Routing& routing = plan.batches[l.layer][l.micro_batch].routing;
        const std::int64_t tokens = plan.batch_tokens[l.micro_batch].size();
        const auto width = static_cast<std::int64_t>(routing.width);
        kernels::Selection selection;
        selection.top_k = width;
        const kernels::RoutingView out(tokens, width, b.experts.view().part(0, tokens * width),
                                       b.weights.view().part(0, tokens * width));
        ops.select(*compute_stream, selection, held.logits[l.layer][l.micro_batch].view(), out);
        const auto places = [&](auto view) { return view.part(0, tokens * width); };
        const auto& ranks = held.rank_of[l.layer][l.micro_batch];
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
        const MatrixView tokens = rows_of(held.batches[l.micro_batch].tokens, part.begin, part.size());
        ops.pack(*compute_stream, tokens, table(l).pack_local.view(), 1, memory.stored.view(0, r.local));
        ops.pack(*compute_stream, tokens, table(l).pack_sent.view(), 1, memory.sent.view(0, count(r.pack_sent)));
    }
    void expert(const Label& l) {
        const ChunkRows& r = rows(l);
        ChunkMemory& memory = this->memory(l);
        const std::int64_t rows = count(r.gather);
        const MatrixView computed = rows_of(memory.computed, 0, rows), results = rows_of(memory.results, 0, rows);
        ops.unpack(*compute_stream, memory.stored.view(0, r.stored), table(l).gather.view(), computed);
        const LayerWeights& w = held.weights[l.layer];
        ops.expert_forward(*compute_stream, computed, r.group_begin,
                           {activation(), w.gate_up.view(), w.down.view(), {}, {}}, results);
        ops.round_products(*compute_stream, table(l).weights.view(), result_step, result_limit(s), results);
        sum_up(*compute_stream, compute_ones, results, table(l).sum, r.sum_width, memory.sums.view(0, r.stored).values);
    }
    // to[i] = the sum of terms[i], of rows of `from`. `ones` is the stream's own.
    void sum_up(kernels::Stream& stream, Array<float>& ones, ConstMatrixView from, const Array<std::int32_t>& terms,
                std::int64_t width, MatrixView to) {
        if (to.rows == 0) return;
        if (ones.size() < to.rows * width) {
            const std::vector<float> host(as_size(to.rows * width), 1.0F);
            ones = kernels::upload(backend, stream, std::span<const float>(host));
        }
        ops.combine(stream, from, terms.view(), std::as_const(ones).view().part(0, to.rows * width), to);
    }
    void shared(const Label& l) {
        const LayerWeights& w = held.weights[l.layer];
        BatchMemory& b = held.batches[l.micro_batch];
        const std::int64_t begin[] = {0, plan.batch_tokens[l.micro_batch].size()};
        ops.expert_forward(*compute_stream, b.tokens.view(), begin,
                           {activation(), w.shared_gate_up.view(), w.shared_down.view(), {}, {}}, b.shared.view());
    }
    void unpack(const Label& l) {
        for (std::size_t c = 0; c < held.chunks[l.micro_batch].size(); ++c) {
            const ChunkRows& r = plan.batches[l.layer][l.micro_batch].chunks[c];
            ChunkMemory& memory = held.chunks[l.micro_batch][c];
            ops.unpack(*compute_stream, memory.sums.view(0, r.sums),
                       held.tables[l.layer][l.micro_batch][c].unpack.view(),
                       rows_of(memory.unpacked, 0, count(r.unpack)));
        }
    }
    void combine(const Label& l) {
        BatchMemory& b = held.batches[l.micro_batch];
        for (std::size_t c = 0; c < held.chunks[l.micro_batch].size(); ++c) {
            const ChunkTables& t = held.tables[l.layer][l.micro_batch][c];
            const Range part = plan.tokens[l.micro_batch][c];
            const std::int64_t rows = count(plan.batches[l.layer][l.micro_batch].chunks[c].unpack);
            sum_up(*compute_stream, compute_ones, rows_of(held.chunks[l.micro_batch][c].unpacked, 0, rows), t.copies,
                   t.copies_width, rows_of(b.moe, part.begin, part.size()));
        }
        if (s.model.shared_experts > 0) ops.add_residual(*compute_stream, b.moe.view(), b.shared.view(), b.moe.view());
    }
    void residual(const Label& l) {
        BatchMemory& b = held.batches[l.micro_batch];
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
            sum_up(*message_stream, message_ones, memory.sums.view(0, r.sums).values, table(l).back[i], back.width,
                   memory.back.view(begin, back.run.rows).values);
            message_stream->synchronize();
            return memory.back.bytes(begin, back.run.rows);
        }
        throw InternalError("a message without rows on its rank");
    }
    Array<float> compute_ones, message_ones;
};

KernelWork::KernelWork(const WorkPlan& plan, kernels::Backend& backend)
    : state_(std::make_unique<State>(plan, backend)) {
    state_->name_shared();
}

KernelWork::~KernelWork() = default;

void KernelWork::begin(bool check) {
    State& s = *state_;
    s.check = check;
    for (std::size_t m = 0; m < s.held.batches.size(); ++m) {
        const Range tokens = s.plan.batch_tokens[m];
        std::vector<float> values;
        for (std::int64_t t = tokens.begin; t < tokens.end; ++t) s.model.token(t, values);
        s.held.batches[m].tokens =
            kernels::upload(s.backend, *s.compute_stream, Scalar::bf16, tokens.size(), s.s.model.hidden, values);
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
                            s.held.batches[l.micro_batch].tokens.view());
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
    for (std::size_t m = 0; m < s.held.batches.size(); ++m)
        sum += tokens_hash(s.plan.batch_tokens[m].begin,
                           kernels::download(*s.compute_stream, s.held.batches[m].tokens.view()), s.s.model.hidden);
    return sum;
}

std::vector<float> KernelWork::tokens() {
    std::vector<float> all;
    for (const BatchMemory& batch : state_->held.batches) {
        const std::vector<float> values = kernels::download(*state_->compute_stream, batch.tokens.view());
        all.insert(all.end(), values.begin(), values.end());
    }
    return all;
}

std::int64_t KernelWork::sent_row_bytes() const { return state_->held.chunks[0][0].sent.row_bytes(); }

std::uint64_t token_hash(std::int64_t token, std::span<const float> values) {
    std::uint64_t hash = mix64(static_cast<std::uint64_t>(token) + 1);
    for (const float v : values) hash = mix64(hash ^ std::bit_cast<std::uint32_t>(v));
    return hash;
}

std::uint64_t tokens_hash(std::int64_t first, std::span<const float> values, std::int64_t hidden) {
    std::uint64_t sum = 0;
    for (std::size_t t = 0; t * as_size(hidden) < values.size(); ++t)
        sum += token_hash(first + static_cast<std::int64_t>(t), values.subspan(t * as_size(hidden), as_size(hidden)));
    return sum;
}

}  // namespace moesim
