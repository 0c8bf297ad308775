#include "calibrate/measure/kernel_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>

#include "base/random.hpp"
#include "cost/kernel_law.hpp"
#include "cost/stage_cost.hpp"

namespace moesim {
namespace {

using namespace kernels;
using kernels::Matrix;  // not the one of counts

using Make = std::function<std::function<void()>(Backend&, Stream&)>;

constexpr std::int64_t value_bytes = 2;
constexpr std::uint64_t purpose = 0x63616c6962726174;

std::int64_t half(std::int64_t width) { return std::max<std::int64_t>(16, (width / 2 + 15) / 16 * 16); }

// Other widths, one after the other, and then what an operation is told of choices: enough that a law of three or four
// costs is known without any one of them.
std::vector<LayerShape> shapes_around(const LayerShape& asked, bool quick) {
    LayerShape narrow = asked, wide = asked, thin = asked, thick = asked, few = asked, many = asked;
    narrow.hidden = half(asked.hidden);
    wide.hidden = asked.hidden + half(asked.hidden);
    thin.inner = half(asked.inner);
    thick.inner = 2 * asked.inner;
    few.local = std::max<std::int64_t>(1, asked.local / 2);
    few.experts = std::max(asked.top_k, asked.experts / 2);
    few.ranks = std::max<std::int64_t>(1, asked.ranks / 2);
    many.experts = std::min<std::int64_t>(2 * asked.experts, 16'384);
    many.local = asked.local + (asked.local + 1) / 2;
    many.top_k = std::min(asked.top_k + (asked.top_k + 1) / 2, many.experts);
    if (asked.attention) {  // fewer heads; shorter and longer sequences
        narrow.attention->kv_heads = 1;
        narrow.attention->heads = std::max<std::int64_t>(1, asked.attention->heads / 2);
        few.batch.tokens_per_sequence = std::max<std::int64_t>(1, asked.batch.tokens_per_sequence / 2);
        many.batch.tokens_per_sequence = 2 * asked.batch.tokens_per_sequence;
    }
    if (quick) return {asked, narrow, wide, few, many};
    LayerShape small = narrow;
    small.inner = thin.inner;
    small.experts = few.experts;
    small.local = few.local;
    return {asked, narrow, wide, thin, thick, few, many, small};
}

// From 4 to `most`, each the same factor above the one before, with `others` among them.
std::vector<std::int64_t> sizes_to(std::int64_t most, int count, std::initializer_list<std::int64_t> others) {
    most = std::max<std::int64_t>(most, 8);
    std::set<std::int64_t> sizes;
    for (const std::int64_t o : others) sizes.insert(std::clamp<std::int64_t>(o, 1, most));
    for (int i = 0; i < count; ++i)
        sizes.insert(std::llround(4 * std::pow(static_cast<double>(most) / 4, i / (count - 1.0))));
    return {sizes.begin(), sizes.end()};
}

KernelGrid grid_of(const LayerShape& shape, std::int64_t tokens, std::int64_t chunk, bool quick) {
    return {shapes_around(shape, quick), sizes_to(2 * tokens, quick ? 4 : 8, {tokens, chunk})};
}

// Random bf16 numbers in the backend's memory that all calls read their rows and weights from: making them anew for
// each call would take longer than timing it.
class Numbers {
  public:
    // At least so many bytes of rows, and of weights; before the first call is made.
    void need(std::int64_t row_bytes, std::int64_t weight_bytes) {
        row_bytes_ = std::max(row_bytes_, row_bytes);
        weight_bytes_ = std::max(weight_bytes_, weight_bytes);
    }

    void make(Backend& backend, Stream& stream) {
        if (made_by_ == &backend) return;
        // Numbers repeat after some thousands, at another place of each row: drawing takes long.
        constexpr std::size_t period = 4099;
        RandomStream random(stream_key(1, purpose), 0);
        std::vector<float> draws(period), host(4096 * period);
        for (float& d : draws) d = static_cast<float>(0.05 * random.normal());
        for (std::size_t i = 0; i < host.size(); ++i) host[i] = draws[i % period];
        const std::int64_t bytes = row_bytes_ + weight_bytes_ + 2 * row_gap;
        all_ = Array<std::uint16_t>(backend, bytes / value_bytes);
        std::vector<bfloat16> narrow(host.begin(), host.end());
        const auto piece = static_cast<std::int64_t>(narrow.size()) * value_bytes;
        for (std::int64_t at = 0; at < bytes; at += piece)
            stream.copy_in(reinterpret_cast<char*>(all_.view().data) + at, narrow.data(), std::min(piece, bytes - at));
        stream.synchronize();
        made_by_ = &backend;
    }
    [[nodiscard]] ConstMatrixView rows(std::int64_t count, std::int64_t cols) const { return table(0, count, cols); }
    // The `turn`th of the tables of that size that lie one after the other, and then again.
    [[nodiscard]] ConstMatrixView weights(std::int64_t turn, std::int64_t count, std::int64_t cols) const {
        const std::int64_t size = (count * aligned(cols) * value_bytes + row_gap - 1) / row_gap * row_gap;
        const std::int64_t tables = std::max<std::int64_t>(1, weight_bytes_ / size);
        return table(row_bytes_ / row_gap * row_gap + row_gap + turn % tables * size, count, cols);
    }

  private:
    static constexpr std::int64_t row_gap = 256;  // bytes: where tables begin
    static std::int64_t aligned(std::int64_t cols) { return (cols + 7) / 8 * 8; }
    [[nodiscard]] ConstMatrixView table(std::int64_t at, std::int64_t count, std::int64_t cols) const {
        return {all_.view().data + at / value_bytes, Scalar::bf16, count, cols, aligned(cols)};
    }

    std::int64_t row_bytes_ = 0, weight_bytes_ = 0;
    Array<std::uint16_t> all_;
    const Backend* made_by_ = nullptr;
};
using SharedNumbers = std::shared_ptr<Numbers>;

std::vector<ExpertIndex> random_choices(const LayerShape& s, std::int64_t tokens) {
    RandomStream random(stream_key(2, purpose), static_cast<std::uint64_t>(tokens));
    std::vector<ExpertIndex> ids;
    std::vector<ExpertIndex> all(static_cast<std::size_t>(s.experts));
    std::iota(all.begin(), all.end(), ExpertIndex{0});
    for (std::int64_t t = 0; t < tokens; ++t)  // the first top_k of a shuffle: different ones
        for (std::int64_t k = 0; k < s.top_k; ++k) {
            const auto at = static_cast<std::size_t>(k);
            std::swap(all[at], all[at + random.below(static_cast<std::uint32_t>(s.experts - k))]);
            ids.push_back(all[at]);
        }
    return ids;
}

std::vector<std::int32_t> random_rows(std::int64_t count, std::int64_t rows) {
    RandomStream random(stream_key(3, purpose), static_cast<std::uint64_t>(count));
    std::vector<std::int32_t> picked;
    for (std::int64_t i = 0; i < count; ++i)
        picked.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(rows))));
    return picked;
}

template <class T>
Array<T> on_device(Backend& backend, Stream& stream, const std::vector<T>& host) {
    return upload<T>(backend, stream, host);
}

Make gate_call(LayerShape s, std::int64_t tokens, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Matrix logits;
            std::int64_t turn = 0;
        };
        auto state = std::make_shared<State>();
        state->logits = Matrix(b, Scalar::fp32, tokens, s.experts);
        return [=, &b, &stream] {
            b.operations().gate_logits(stream, numbers->rows(tokens, s.hidden),
                                       numbers->weights(state->turn++, s.experts, s.hidden), state->logits.view());
        };
    };
}

Make select_call(LayerShape s, std::int64_t tokens) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        struct State {
            Matrix logits;
            Array<ExpertIndex> experts;
            Array<float> weights;
        };
        auto state = std::make_shared<State>();
        RandomStream random(stream_key(4, purpose), 0);
        std::vector<float> host(static_cast<std::size_t>(tokens * s.experts));
        for (float& v : host) v = static_cast<float>(random.normal());
        state->logits = upload(b, stream, Scalar::fp32, tokens, s.experts, host);
        state->experts = Array<ExpertIndex>(b, tokens * s.top_k);
        state->weights = Array<float>(b, tokens * s.top_k);
        Selection rules;
        rules.top_k = s.top_k;
        return [=, &b, &stream] {
            b.operations().select(stream, rules, std::as_const(state->logits).view(),
                                  {tokens, s.top_k, state->experts.view(), state->weights.view()});
        };
    };
}

Make order_call(LayerShape s, std::int64_t tokens, bool by_rank) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        const std::int64_t choices = tokens * s.top_k;
        struct State {
            Array<ExpertIndex> experts;
            Array<std::int32_t> home, expert_rows, expert_begin, rank_rows, rank_begin, choice, slot, sent;
        };
        auto state = std::make_shared<State>();
        state->experts = on_device(b, stream, random_choices(s, tokens));
        std::vector<std::int32_t> homes;
        for (std::int64_t e = 0; e < s.experts; ++e)
            homes.push_back(static_cast<std::int32_t>(e * s.ranks / s.experts));
        state->home = on_device(b, stream, homes);
        for (auto* per_choice : {&state->choice, &state->slot, &state->sent})
            *per_choice = Array<std::int32_t>(b, choices);
        for (auto* per_expert : {&state->expert_rows, &state->expert_begin})
            *per_expert = Array<std::int32_t>(b, s.experts);
        state->rank_rows = Array<std::int32_t>(b, s.ranks);
        state->rank_begin = Array<std::int32_t>(b, s.ranks + 1);
        return [=, &b, &stream] {
            const ConstRoutingView routing(tokens, s.top_k, std::as_const(state->experts).view(), {});
            const auto home = std::as_const(state->home).view();
            if (by_rank)
                b.operations().order_by_rank(stream, routing, home,
                                             {state->rank_rows.view(), state->rank_begin.view(), state->choice.view(),
                                              state->slot.view(), state->sent.view()});
            else
                b.operations().order_by_destination(
                    stream, routing, home,
                    {state->expert_rows.view(), state->expert_begin.view(), state->rank_rows.view(),
                     state->rank_begin.view(), state->choice.view(), state->slot.view()});
        };
    };
}

// pack: rows of tokens in the order of sending. unpack: packed rows in that of tokens.
Make move_call(LayerShape s, std::int64_t tokens, std::int64_t rows, bool fp8, bool packs,
               const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Matrix plain, packed, scales;
            Array<std::int32_t> from;
        };
        auto state = std::make_shared<State>();
        if (!packs) state->plain = Matrix(b, Scalar::bf16, rows, s.hidden);
        state->packed = Matrix(b, fp8 ? Scalar::fp8_e4m3 : Scalar::bf16, rows, s.hidden);
        if (fp8) state->scales = Matrix(b, Scalar::fp32, rows, scale_columns(s.hidden, ScaleBlock::row));
        std::vector<std::int32_t> first(static_cast<std::size_t>(rows));
        std::iota(first.begin(), first.end(), 0);
        if (packs) {
            state->from = on_device(b, stream, random_rows(rows, tokens));
        } else {  // real packed rows, first
            const auto order = on_device(b, stream, first);
            const PackedView compressed(state->packed.view(), ScaleBlock::row, state->scales.view());
            b.operations().pack(stream, numbers->rows(rows, s.hidden), order.view(), 1,
                                fp8 ? compressed : PackedView(state->packed.view()));
            stream.synchronize();
            state->from = on_device(b, stream, random_rows(rows, rows));
        }
        return [=, &b, &stream] {
            PackedView packed(state->packed.view());
            if (fp8) packed = PackedView(state->packed.view(), ScaleBlock::row, state->scales.view());
            const auto from = std::as_const(state->from).view();
            if (packs)
                b.operations().pack(stream, numbers->rows(tokens, s.hidden), from, 1, packed);
            else
                b.operations().unpack(stream, packed, from, state->plain.view());
        };
    };
}

Make expert_call(LayerShape s, std::vector<std::int64_t> rows, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Matrix out;
            std::vector<std::int64_t> group_begin = {0};
            std::int64_t turn = 0;
        };
        auto state = std::make_shared<State>();
        for (const std::int64_t r : rows) state->group_begin.push_back(state->group_begin.back() + r);
        const std::int64_t all = state->group_begin.back(), groups = static_cast<std::int64_t>(rows.size());
        const std::int64_t outputs = (s.gated ? 2 : 1) * s.inner;
        state->out = Matrix(b, Scalar::bf16, all, s.hidden);
        const Activation activation = s.gated ? Activation::swiglu : Activation::gelu;
        return [=, &b, &stream] {
            const auto up = numbers->weights(state->turn, groups * outputs, s.hidden);
            const auto down = numbers->weights(state->turn++, groups * s.hidden, s.inner);
            b.operations().expert_forward(stream, numbers->rows(all, s.hidden), state->group_begin,
                                          {activation, up, down, {}, {}}, state->out.view());
        };
    };
}

Make round_call(LayerShape s, std::int64_t rows, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Matrix rows;
            Array<float> weights;
        };
        auto state = std::make_shared<State>();
        state->rows = Matrix(b, Scalar::bf16, rows, s.hidden);
        const ConstMatrixView from = numbers->rows(rows, s.hidden);
        stream.copy(state->rows.view().data, from.data, (rows * from.stride) * value_bytes);
        state->weights = on_device(b, stream, std::vector<float>(static_cast<std::size_t>(rows), 1.0F));
        // Rounded again and again, rows stay what they are after the first time.
        constexpr float step = 1.0F / 128;
        return [=, &b, &stream] {
            b.operations().round_products(stream, std::as_const(state->weights).view(), step, 64, state->rows.view());
        };
    };
}

// A product of a layer that is not an expert: of the attention block, or of a dense layer.
Make dense_call(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Matrix out;
            std::int64_t turn = 0;
        };
        auto state = std::make_shared<State>();
        state->out = Matrix(b, Scalar::bf16, rows, outputs);
        return [=, &b, &stream] {
            b.operations().dense(stream, numbers->rows(rows, inputs), numbers->weights(state->turn++, outputs, inputs),
                                 state->out.view());
        };
    };
}

// Sequences of `length` tokens, queries, keys and values side by side as the product before leaves them.
Make attention_call(const AttentionSpec& a, std::int64_t sequences, std::int64_t length, std::int64_t context,
                    const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        const std::int64_t tokens = sequences * length, q = a.heads * a.head_dim, kv = a.kv_heads * a.head_dim;
        struct State {
            Matrix out;
            std::vector<std::int64_t> sequence_begin;
        };
        auto state = std::make_shared<State>();
        state->out = Matrix(b, Scalar::bf16, tokens, q);
        for (std::int64_t s = 0; s <= sequences; ++s) state->sequence_begin.push_back(s * length);
        const AttentionRules rules{a.heads, a.kv_heads, a.head_dim, a.causal,
                                   1 / std::sqrt(static_cast<float>(a.head_dim))};
        return [=, &b, &stream] {
            const ConstMatrixView all = numbers->rows(tokens, q + 2 * kv);
            const auto columns = [&](std::int64_t first, std::int64_t cols) {
                return ConstMatrixView(static_cast<const char*>(all.data) + first * value_bytes, all.scalar, all.rows,
                                       cols, all.stride);
            };
            const ConstMatrixView before = context > 0 ? numbers->rows(sequences * context, kv) : ConstMatrixView();
            b.operations().attention(
                stream, rules,
                {columns(0, q), columns(q, kv), columns(q + kv, kv), state->sequence_begin, before, before},
                state->out.view());
        };
    };
}

// Rows summed to tokens, `width` each.
Make combine_call(LayerShape s, std::int64_t tokens, std::int64_t width, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Matrix out;
            Array<std::int32_t> slot;
            Array<float> weights;
        };
        auto state = std::make_shared<State>();
        const std::int64_t rows = tokens * width;
        state->out = Matrix(b, Scalar::bf16, tokens, s.hidden);
        if (width > 1) state->slot = on_device(b, stream, random_rows(rows, rows));
        state->weights =
            on_device(b, stream, std::vector<float>(static_cast<std::size_t>(rows), 1 / static_cast<float>(width)));
        return [=, &b, &stream] {
            b.operations().combine(stream, numbers->rows(rows, s.hidden), std::as_const(state->slot).view(),
                                   std::as_const(state->weights).view(), state->out.view());
        };
    };
}

Make residual_call(LayerShape s, std::int64_t tokens, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        auto out = std::make_shared<Matrix>(b, Scalar::bf16, tokens, s.hidden);
        return [=, &b, &stream] {
            const auto both = numbers->rows(2 * tokens, s.hidden);
            b.operations().add_residual(stream, both.part(0, tokens), both.part(tokens, tokens), out->view());
        };
    };
}

std::vector<std::int64_t> even_rows(std::int64_t rows, std::int64_t groups) {
    std::vector<std::int64_t> r(static_cast<std::size_t>(groups), rows / groups);
    for (std::int64_t g = 0; g < rows % groups; ++g) ++r[static_cast<std::size_t>(g)];
    return r;
}

// Half of the rows go to the first expert, the last quarter of the experts gets none.
std::vector<std::int64_t> skewed_rows(std::int64_t rows, std::int64_t groups) {
    const std::int64_t used = std::max<std::int64_t>(1, groups - groups / 4), first = used > 1 ? rows / 2 : rows;
    std::vector<std::int64_t> r = {first};
    if (used > 1) {
        const auto others = even_rows(rows - first, used - 1);
        r.insert(r.end(), others.begin(), others.end());
    }
    r.resize(static_cast<std::size_t>(groups));
    return r;
}

class Cases {
  public:
    Cases(std::int64_t cold, std::int64_t memory) : cold_(cold), memory_(memory) {}

    void add(const LayerShape& s, std::int64_t t) {
        const std::int64_t choices = t * s.top_k;
        const std::string hidden = fmt::format("hidden {}", s.hidden);
        const std::string choice = fmt::format("top-{} of {} experts", s.top_k, s.experts);
        add(KernelOperation::gate_logits, fmt::format("{}, {} experts", hidden, s.experts),
            gate_counts(t, s.hidden, s.experts), gate_call(s, t, numbers_));
        add(KernelOperation::select, choice, select_counts(t, s.experts, s.top_k), select_call(s, t));
        for (const bool by_rank : {false, true})
            add(by_rank ? KernelOperation::order_by_rank : KernelOperation::order_by_destination,
                fmt::format("{} on {} ranks", choice, s.ranks), order_counts(t, s.top_k, s.experts, s.ranks),
                order_call(s, t, by_rank));
        for (const bool fp8 : {false, true}) {
            add(fp8 ? KernelOperation::pack_fp8 : KernelOperation::pack, hidden, moved_counts(choices, s.hidden, fp8),
                move_call(s, t, choices, fp8, true, numbers_));
            add(fp8 ? KernelOperation::unpack_fp8 : KernelOperation::unpack, hidden,
                moved_counts(choices, s.hidden, fp8), move_call(s, t, choices, fp8, false, numbers_));
        }
        for (const auto& rows : {even_rows(choices, s.local), skewed_rows(choices, s.local)})
            add(KernelOperation::expert_forward, fmt::format("{}, inner {}, {} experts", hidden, s.inner, s.local),
                expert_counts(rows, s.hidden, s.inner, s.gated), expert_call(s, rows, numbers_));
        add(KernelOperation::round_rows, hidden, round_counts(choices, s.hidden), round_call(s, choices, numbers_));
        if (s.attention) add_attention(s, t);
        for (const std::int64_t width : {std::int64_t{1}, s.top_k})
            add(KernelOperation::combine, hidden, combine_counts(t * width, t, s.hidden),
                combine_call(s, t, width, numbers_));
        add(KernelOperation::add_residual, hidden, residual_counts(t, s.hidden), residual_call(s, t, numbers_));
    }
    void add_attention(const LayerShape& s, std::int64_t t) {
        const AttentionSpec& a = *s.attention;
        const std::int64_t q = query_width(a, 1), all = q + 2 * key_width(a, 1);
        for (const auto& [n, k] : {std::pair(all, s.hidden), std::pair(s.hidden, q)})
            add(KernelOperation::dense, fmt::format("{} x {}", n, k), dense_counts(t, n, k),
                dense_call(t, n, k, numbers_));
        BatchSpec batch = s.batch;
        batch.tokens_per_sequence = std::min(t, std::max<std::int64_t>(1, batch.tokens_per_sequence));
        const std::int64_t sequences = t / batch.tokens_per_sequence, tokens = sequences * batch.tokens_per_sequence;
        const AttentionWork work = attention_work(a, batch, tokens, 1, 1);
        add(KernelOperation::attention,
            fmt::format("{} heads of {}, {} of keys, sequences of {}", a.heads, a.head_dim, a.kv_heads,
                        s.batch.tokens_per_sequence),
            attention_counts(tokens, work.bytes, work.flops.value()),
            attention_call(a, sequences, batch.tokens_per_sequence, batch.context, numbers_));
    }
    std::vector<KernelCase> take() { return std::move(cases_); }

  private:
    // Shapes that differ in what an operation does not see would time it twice.
    void add(KernelOperation operation, const std::string& shape, const PerQuantity& counts, Make make) {
        const bool known = std::any_of(cases_.begin(), cases_.end(), [&](const KernelCase& c) {
            return c.operation == operation && c.shape == shape && c.counts == counts;
        });
        if (known) return;
        const auto rows = static_cast<std::int64_t>(counts[static_cast<std::size_t>(KernelQuantity::byte)]);
        const auto weights = static_cast<std::int64_t>(counts[static_cast<std::size_t>(KernelQuantity::weight_byte)]);
        // A call's tables, rows that are copied as fp32, and what all calls read.
        const std::int64_t memory = 4 * rows + weights + (weights > 0 ? cold_ : 0);
        // Tables' rows begin at multiples of 16 bytes.
        if (memory <= memory_) numbers_->need(2 * rows, 2 * weights + (weights > 0 ? cold_ : 0));
        cases_.push_back({operation, shape, counts, memory, std::move(make)});
    }

    SharedNumbers numbers_ = std::make_shared<Numbers>();
    std::int64_t cold_, memory_;
    std::vector<KernelCase> cases_;
};

}  // namespace

KernelGrid kernel_grid(const Scenario& s, bool quick) {
    LayerShape shape;
    shape.hidden = s.model.hidden;
    shape.inner = std::max<std::int64_t>(1, s.model.expert_ffn / s.parallelism.tensor);
    shape.experts = s.model.experts;
    shape.ranks = s.parallelism.expert;
    shape.local = std::max<std::int64_t>(1, s.model.experts / s.parallelism.expert);
    shape.top_k = s.model.top_k;
    shape.gated = s.model.gated;
    if (s.model.attention) {
        shape.attention = s.model.attention;
        shape.attention->heads /= s.parallelism.tensor;
        shape.attention->kv_heads = (shape.attention->kv_heads + s.parallelism.tensor - 1) / s.parallelism.tensor;
        shape.batch = s.batch;
    }
    const std::int64_t parts = s.parallelism.data * s.schedule.micro_batches;
    const std::int64_t tokens = std::max<std::int64_t>(1, (s.batch.tokens() + parts - 1) / parts);
    return grid_of(shape, tokens, (tokens + s.schedule.chunks - 1) / s.schedule.chunks, quick);
}

KernelGrid default_kernel_grid(bool quick) {
    LayerShape shape{1024, 2048, 32, 4, 2, 8, AttentionSpec{16, 4, 64, true}, {}, true};
    shape.batch.tokens_per_sequence = 256;
    return grid_of(shape, 1024, 256, quick);
}

std::vector<KernelCase> kernel_cases(const KernelGrid& grid, std::int64_t cold, std::int64_t memory) {
    Cases cases(cold, memory);
    for (const std::int64_t t : grid.tokens)
        for (const LayerShape& s : grid.shapes) cases.add(s, t);
    return cases.take();
}

}  // namespace moesim
