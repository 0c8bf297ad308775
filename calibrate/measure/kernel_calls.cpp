#include "calibrate/measure/kernel_calls.hpp"

#include <cmath>
#include <numeric>
#include <utility>

#include "base/random.hpp"

namespace moesim {
namespace {

using namespace kernels;
using Table = kernels::Matrix;  // not the one of counts

constexpr std::int64_t value_bytes = 2;
constexpr std::uint64_t purpose = 0x63616c6962726174;

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

}  // namespace

MakeCall gate_call(LayerShape s, std::int64_t tokens, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Table logits;
            std::int64_t turn = 0;
        };
        auto state = std::make_shared<State>();
        state->logits = Table(b, Scalar::fp32, tokens, s.experts);
        return [=, &b, &stream] {
            b.operations().gate_logits(stream, numbers->rows(tokens, s.hidden),
                                       numbers->weights(state->turn++, s.experts, s.hidden), state->logits.view());
        };
    };
}

MakeCall select_call(LayerShape s, std::int64_t tokens) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        struct State {
            Table logits;
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

MakeCall order_call(LayerShape s, std::int64_t tokens, bool by_rank) {
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

MakeCall move_call(LayerShape s, std::int64_t tokens, std::int64_t rows, bool fp8, bool packs,
                   const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Table plain, packed, scales;
            Array<std::int32_t> from;
        };
        auto state = std::make_shared<State>();
        if (!packs) state->plain = Table(b, Scalar::bf16, rows, s.hidden);
        state->packed = Table(b, fp8 ? Scalar::fp8_e4m3 : Scalar::bf16, rows, s.hidden);
        if (fp8) state->scales = Table(b, Scalar::fp32, rows, scale_columns(s.hidden, ScaleBlock::row));
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

MakeCall expert_call(LayerShape s, std::vector<std::int64_t> rows, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Table out;
            std::vector<std::int64_t> group_begin = {0};
            std::int64_t turn = 0;
        };
        auto state = std::make_shared<State>();
        for (const std::int64_t r : rows) state->group_begin.push_back(state->group_begin.back() + r);
        const std::int64_t all = state->group_begin.back(), groups = static_cast<std::int64_t>(rows.size());
        const std::int64_t outputs = (s.gated ? 2 : 1) * s.inner;
        state->out = Table(b, Scalar::bf16, all, s.hidden);
        const Activation activation = s.gated ? Activation::swiglu : Activation::gelu;
        return [=, &b, &stream] {
            const auto up = numbers->weights(state->turn, groups * outputs, s.hidden);
            const auto down = numbers->weights(state->turn++, groups * s.hidden, s.inner);
            b.operations().expert_forward(stream, numbers->rows(all, s.hidden), state->group_begin,
                                          {activation, up, down, {}, {}}, state->out.view());
        };
    };
}

MakeCall round_call(LayerShape s, std::int64_t rows, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Table rows;
            Array<float> weights;
        };
        auto state = std::make_shared<State>();
        state->rows = Table(b, Scalar::bf16, rows, s.hidden);
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

MakeCall dense_call(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Table out;
            std::int64_t turn = 0;
        };
        auto state = std::make_shared<State>();
        state->out = Table(b, Scalar::bf16, rows, outputs);
        return [=, &b, &stream] {
            b.operations().dense(stream, numbers->rows(rows, inputs), numbers->weights(state->turn++, outputs, inputs),
                                 state->out.view());
        };
    };
}

MakeCall attention_call(const AttentionSpec& a, std::int64_t sequences, std::int64_t length, std::int64_t context,
                        const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        const std::int64_t tokens = sequences * length, q = a.heads * a.head_dim, kv = a.kv_heads * a.head_dim;
        struct State {
            Table out;
            std::vector<std::int64_t> sequence_begin;
        };
        auto state = std::make_shared<State>();
        state->out = Table(b, Scalar::bf16, tokens, q);
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

MakeCall combine_call(LayerShape s, std::int64_t tokens, std::int64_t width, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        struct State {
            Table out;
            Array<std::int32_t> slot;
            Array<float> weights;
        };
        auto state = std::make_shared<State>();
        const std::int64_t rows = tokens * width;
        state->out = Table(b, Scalar::bf16, tokens, s.hidden);
        if (width > 1) state->slot = on_device(b, stream, random_rows(rows, rows));
        state->weights =
            on_device(b, stream, std::vector<float>(static_cast<std::size_t>(rows), 1 / static_cast<float>(width)));
        return [=, &b, &stream] {
            b.operations().combine(stream, numbers->rows(rows, s.hidden), std::as_const(state->slot).view(),
                                   std::as_const(state->weights).view(), state->out.view());
        };
    };
}

MakeCall residual_call(LayerShape s, std::int64_t tokens, const SharedNumbers& numbers) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        numbers->make(b, stream);
        auto out = std::make_shared<Table>(b, Scalar::bf16, tokens, s.hidden);
        return [=, &b, &stream] {
            const auto both = numbers->rows(2 * tokens, s.hidden);
            b.operations().add_residual(stream, both.part(0, tokens), both.part(tokens, tokens), out->view());
        };
    };
}

}  // namespace moesim
