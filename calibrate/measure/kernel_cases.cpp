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

namespace moesim {
namespace {

using namespace kernels;
using kernels::Matrix;  // not the one of counts

using Make = std::function<std::function<void()>(Backend&, Stream&)>;

constexpr std::int64_t value_bytes = 2;
constexpr std::uint64_t purpose = 0x63616c6962726174;

std::int64_t half(std::int64_t width) { return std::max<std::int64_t>(16, (width / 2 + 15) / 16 * 16); }

std::vector<LayerShape> shapes_around(const LayerShape& asked, bool quick) {
    LayerShape narrow = asked, thin = asked, few = asked, wide = asked;
    narrow.hidden = half(asked.hidden);
    thin.inner = half(asked.inner);
    few.local = std::max<std::int64_t>(1, asked.local / 2);
    few.experts = std::max(std::max<std::int64_t>(asked.top_k, 1), asked.experts / 2);
    wide.hidden = asked.hidden + half(asked.hidden);
    if (quick) {
        few.inner = thin.inner;
        return {asked, narrow, few};
    }
    return {asked, narrow, thin, few, wide};
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

// A table of bf16 numbers around 0 with a spread of `deviation`.
Matrix table(Backend& backend, Stream& stream, std::int64_t rows, std::int64_t cols, double deviation) {
    // Numbers repeat after some thousands, at another place of each row: drawing takes longer than timing otherwise.
    constexpr std::size_t period = 4099;
    RandomStream random(stream_key(1, purpose), static_cast<std::uint64_t>(cols));
    std::vector<float> draws(period);
    for (float& d : draws) d = static_cast<float>(deviation * random.normal());
    std::vector<float> host(static_cast<std::size_t>(rows * cols));
    for (std::size_t i = 0; i < host.size(); ++i) host[i] = draws[i % period];
    return upload(backend, stream, Scalar::bf16, rows, cols, host);
}

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

// How many copies of so many bytes of weights pass the cache.
std::int64_t copies_for(std::int64_t bytes, std::int64_t cold) { return 1 + cold / std::max<std::int64_t>(bytes, 1); }

Make gate_call(LayerShape s, std::int64_t tokens, std::int64_t cold) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        const std::int64_t copies = copies_for(value_bytes * s.experts * s.hidden, cold);
        struct State {
            Matrix rows, gates, logits;
            std::int64_t turn = 0;
        };
        auto state = std::make_shared<State>();
        state->rows = table(b, stream, tokens, s.hidden, 1);
        state->gates = table(b, stream, copies * s.experts, s.hidden, 0.02);
        state->logits = Matrix(b, Scalar::fp32, tokens, s.experts);
        return [=, &b, &stream] {
            const auto gate = std::as_const(state->gates).view().part(state->turn++ % copies * s.experts, s.experts);
            b.operations().gate_logits(stream, std::as_const(state->rows).view(), gate, state->logits.view());
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
Make move_call(LayerShape s, std::int64_t tokens, std::int64_t rows, bool fp8, bool packs) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        struct State {
            Matrix plain, packed, scales;
            Array<std::int32_t> from;
        };
        auto state = std::make_shared<State>();
        state->plain = table(b, stream, packs ? tokens : rows, s.hidden, 1);
        state->packed = Matrix(b, fp8 ? Scalar::fp8_e4m3 : Scalar::bf16, rows, s.hidden);
        if (fp8) state->scales = Matrix(b, Scalar::fp32, rows, scale_columns(s.hidden, ScaleBlock::row));
        std::vector<std::int32_t> first(static_cast<std::size_t>(rows));
        std::iota(first.begin(), first.end(), 0);
        if (packs) {
            state->from = on_device(b, stream, random_rows(rows, tokens));
        } else {  // real packed rows, first
            const auto order = on_device(b, stream, first);
            const PackedView out(state->packed.view(), ScaleBlock::row, state->scales.view());
            b.operations().pack(stream, std::as_const(state->plain).view(), order.view(), 1,
                                fp8 ? out : state->packed.view());
            stream.synchronize();
            state->from = on_device(b, stream, random_rows(rows, rows));
        }
        return [=, &b, &stream] {
            PackedView packed(state->packed.view());
            if (fp8) packed = PackedView(state->packed.view(), ScaleBlock::row, state->scales.view());
            const auto from = std::as_const(state->from).view();
            if (packs)
                b.operations().pack(stream, std::as_const(state->plain).view(), from, 1, packed);
            else
                b.operations().unpack(stream, packed, from, state->plain.view());
        };
    };
}

Make expert_call(LayerShape s, std::vector<std::int64_t> rows, std::int64_t cold) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        const auto groups = static_cast<std::int64_t>(rows.size());
        const std::int64_t inputs = (s.gated ? 2 : 1) * s.inner;
        const std::int64_t copies = copies_for(value_bytes * groups * s.hidden * (inputs + s.inner), cold);
        struct State {
            Matrix rows, gate_up, down, out;
            std::vector<std::int64_t> group_begin = {0};
            std::int64_t turn = 0;
        };
        auto state = std::make_shared<State>();
        for (const std::int64_t r : rows) state->group_begin.push_back(state->group_begin.back() + r);
        const std::int64_t all = state->group_begin.back();
        state->rows = table(b, stream, all, s.hidden, 1);
        state->gate_up = table(b, stream, copies * groups * inputs, s.hidden, 0.02);
        state->down = table(b, stream, copies * groups * s.hidden, s.inner, 0.02);
        state->out = Matrix(b, Scalar::bf16, all, s.hidden);
        const Activation activation = s.gated ? Activation::swiglu : Activation::gelu;
        return [=, &b, &stream] {
            const std::int64_t copy = state->turn++ % copies;
            const auto up = std::as_const(state->gate_up).view().part(copy * groups * inputs, groups * inputs);
            const auto down = std::as_const(state->down).view().part(copy * groups * s.hidden, groups * s.hidden);
            b.operations().expert_forward(stream, std::as_const(state->rows).view(), state->group_begin,
                                          {activation, up, down, {}, {}}, state->out.view());
        };
    };
}

// Rows summed to tokens, `width` each; one each: rows that are multiplied and rounded on their own.
Make combine_call(LayerShape s, std::int64_t tokens, std::int64_t width) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        struct State {
            Matrix results, out;
            Array<std::int32_t> slot;
            Array<float> weights;
        };
        auto state = std::make_shared<State>();
        const std::int64_t rows = tokens * width;
        state->results = table(b, stream, rows, s.hidden, 1);
        state->out = Matrix(b, Scalar::bf16, tokens, s.hidden);
        if (width > 1) state->slot = on_device(b, stream, random_rows(rows, rows));
        state->weights =
            on_device(b, stream, std::vector<float>(static_cast<std::size_t>(rows), 1 / static_cast<float>(width)));
        return [=, &b, &stream] {
            b.operations().combine(stream, std::as_const(state->results).view(), std::as_const(state->slot).view(),
                                   std::as_const(state->weights).view(), state->out.view());
        };
    };
}

Make residual_call(LayerShape s, std::int64_t tokens) {
    return [=](Backend& b, Stream& stream) -> std::function<void()> {
        struct State {
            Matrix a, b, out;
        };
        auto state = std::make_shared<State>();
        state->a = table(b, stream, tokens, s.hidden, 1);
        state->b = table(b, stream, tokens, s.hidden, 1);
        state->out = Matrix(b, Scalar::bf16, tokens, s.hidden);
        return [=, &b, &stream] {
            b.operations().add_residual(stream, std::as_const(state->a).view(), std::as_const(state->b).view(),
                                        state->out.view());
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
    explicit Cases(std::int64_t cold) : cold_(cold) {}

    void add(const LayerShape& s, std::int64_t t) {
        const std::int64_t choices = t * s.top_k;
        const std::string hidden = fmt::format("hidden {}", s.hidden);
        const std::string choice = fmt::format("top-{} of {} experts", s.top_k, s.experts);
        add(KernelOperation::gate_logits, fmt::format("{}, {} experts", hidden, s.experts),
            gate_counts(t, s.hidden, s.experts), gate_call(s, t, cold_));
        add(KernelOperation::select, choice, select_counts(t, s.experts, s.top_k), select_call(s, t));
        for (const bool by_rank : {false, true})
            add(by_rank ? KernelOperation::order_by_rank : KernelOperation::order_by_destination,
                fmt::format("{} on {} ranks", choice, s.ranks), order_counts(t, s.top_k, s.experts, s.ranks),
                order_call(s, t, by_rank));
        for (const bool fp8 : {false, true}) {
            add(fp8 ? KernelOperation::pack_fp8 : KernelOperation::pack, hidden, moved_counts(choices, s.hidden, fp8),
                move_call(s, t, choices, fp8, true));
            add(fp8 ? KernelOperation::unpack_fp8 : KernelOperation::unpack, hidden,
                moved_counts(choices, s.hidden, fp8), move_call(s, t, choices, fp8, false));
        }
        for (const auto& rows : {even_rows(choices, s.local), skewed_rows(choices, s.local)})
            add(KernelOperation::expert_forward, fmt::format("{}, inner {}, {} experts", hidden, s.inner, s.local),
                expert_counts(rows, s.hidden, s.inner, s.gated), expert_call(s, rows, cold_));
        add(KernelOperation::round_rows, hidden, round_counts(choices, s.hidden), combine_call(s, choices, 1));
        for (const std::int64_t width : {std::int64_t{1}, s.top_k})
            add(KernelOperation::combine, hidden, combine_counts(t * width, t, s.hidden), combine_call(s, t, width));
        add(KernelOperation::add_residual, hidden, residual_counts(t, s.hidden), residual_call(s, t));
    }
    std::vector<KernelCase> take() { return std::move(cases_); }

  private:
    // Shapes that differ in what an operation does not see would time it twice.
    void add(KernelOperation operation, const std::string& shape, const PerQuantity& counts, Make make) {
        const bool known = std::any_of(cases_.begin(), cases_.end(), [&](const KernelCase& c) {
            return c.operation == operation && c.shape == shape && c.counts == counts;
        });
        if (known) return;
        const double weights = counts[static_cast<std::size_t>(KernelQuantity::weight_byte)];
        // Tables are made on the host as floats first: twice their size beside them.
        const double memory = 3 * (counts[static_cast<std::size_t>(KernelQuantity::byte)] + weights +
                                   (weights > 0 ? static_cast<double>(cold_) : 0));
        cases_.push_back({operation, shape, counts, static_cast<std::int64_t>(memory), std::move(make)});
    }

    std::int64_t cold_;
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
    const std::int64_t parts = s.parallelism.data * s.schedule.micro_batches;
    const std::int64_t tokens = std::max<std::int64_t>(1, (s.batch.tokens() + parts - 1) / parts);
    return grid_of(shape, tokens, (tokens + s.schedule.chunks - 1) / s.schedule.chunks, quick);
}

KernelGrid default_kernel_grid(bool quick) { return grid_of({1024, 2048, 32, 4, 2, 8, true}, 1024, 256, quick); }

std::vector<KernelCase> kernel_cases(const KernelGrid& grid, std::int64_t cold) {
    Cases cases(cold);
    for (const std::int64_t t : grid.tokens)
        for (const LayerShape& s : grid.shapes) cases.add(s, t);
    return cases.take();
}

}  // namespace moesim
