#include "kernels/operations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "kernels/error.hpp"

namespace moesim::kernels {
namespace {

constexpr std::int64_t most_experts = 65'535;  // ids below no_expert
constexpr std::int64_t most_choices = std::numeric_limits<std::int32_t>::max();

// What one call is given, held against what it has to be. Messages begin with the operation's name.
class Check {
  public:
    Check(const char* operation, std::int64_t alignment) : operation_(operation), alignment_(alignment) {}

    template <class... Args>
    void that(bool holds, fmt::format_string<Args...> text, Args&&... args) const {
        if (!holds) throw ArgumentError(operation_ + ": " + fmt::format(text, std::forward<Args>(args)...));
    }
    void table(const char* what, const ConstMatrixView& m, std::initializer_list<Scalar> types) const {
        that(m.rows >= 0 && m.cols >= 0 && m.stride >= m.cols, "{} is {} x {} with rows {} apart", what, m.rows, m.cols,
             m.stride);
        that(std::find(types.begin(), types.end(), m.scalar) != types.end(), "{} cannot be {}", what, name(m.scalar));
        const auto address = reinterpret_cast<std::uintptr_t>(m.data);
        const auto align = static_cast<std::uintptr_t>(std::max(alignment_, bytes_of(m.scalar)));
        const std::int64_t apart = m.stride * bytes_of(m.scalar);
        that(m.rows == 0 || m.cols == 0 || m.data != nullptr, "{} has no data", what);
        that(address % align == 0 && (m.rows < 2 || static_cast<std::uintptr_t>(apart) % align == 0),
             "rows of {} do not begin at multiples of {} bytes", what, align);
    }
    void plain(const char* what, const ConstMatrixView& m) const { table(what, m, {Scalar::fp32, Scalar::bf16}); }
    void same_type(const char* a, const ConstMatrixView& first, const char* b, const ConstMatrixView& second) const {
        that(first.scalar == second.scalar, "{} is {}, {} is {}", a, name(first.scalar), b, name(second.scalar));
    }
    void equal(const char* a, std::int64_t first, const char* b, std::int64_t second) const {
        that(first == second, "{} is {}, {} is {}", a, first, b, second);
    }
    template <class T>
    void array(const char* what, const ArrayView<T>& a, std::int64_t size) const {
        that(a.size == size, "{} has {} elements, not {}", what, a.size, size);
        filled(what, a);
    }
    template <class T>
    void at_least(const char* what, const ArrayView<T>& a, std::int64_t size) const {
        that(a.size >= size, "{} has {} elements, fewer than {}", what, a.size, size);
        filled(what, a);
    }
    void routing(const ConstRoutingView& r, bool weights) const {
        that(r.tokens >= 0 && r.width >= 1, "a routing of {} tokens with {} places each", r.tokens, r.width);
        that(r.tokens <= most_choices / r.width, "{} tokens with {} places are more than 2^31 - 1 choices", r.tokens,
             r.width);
        array("experts of the routing", r.experts, r.choices());
        if (weights) array("weights of the routing", r.weights, r.choices());
    }
    void ascends(const char* what, std::span<const std::int64_t> begin, std::int64_t rows) const {
        that(!begin.empty(), "{} is empty", what);
        that(begin.front() == 0 && begin.back() == rows && std::is_sorted(begin.begin(), begin.end()),
             "{} does not ascend from 0 to {} rows", what, rows);
    }
    void expert_count(std::int64_t experts) const {
        that(experts >= 1 && experts <= most_experts, "{} experts", experts);
    }

  private:
    template <class T>
    void filled(const char* what, const ArrayView<T>& a) const {
        that(a.size == 0 || a.data != nullptr, "{} has no data", what);
        that(reinterpret_cast<std::uintptr_t>(a.data) % alignof(T) == 0, "{} is not aligned", what);
    }
    std::string operation_;
    std::int64_t alignment_;
};

void check_limit(const Check& check, const GroupLimit& limit, std::int64_t experts) {
    check.that(limit.tiers >= 1 && limit.groups >= 1 && limit.groups % limit.tiers == 0 && experts % limit.groups == 0,
               "{} tiers of {} groups of {} experts", limit.tiers, limit.groups, experts);
    check.that(limit.chosen_tiers >= 1 && limit.chosen_tiers <= limit.tiers, "{} of {} tiers", limit.chosen_tiers,
               limit.tiers);
    check.that(limit.chosen_groups >= 1 && limit.chosen_groups <= limit.groups, "{} of {} groups", limit.chosen_groups,
               limit.groups);
}

void check_packed(const Check& check, const ConstPackedView& packed) {
    check.table("packed values", packed.values, {Scalar::fp32, Scalar::bf16, Scalar::fp8_e4m3});
    if (packed.values.scalar != Scalar::fp8_e4m3) return;
    // Scales may lie behind each row's values: only the elements' own alignment is asked for.
    Check("packed scales", 1).table("scales", packed.scales, {Scalar::fp32});
    check.equal("rows of scales", packed.scales.rows, "rows of values", packed.values.rows);
    check.equal("columns of scales", packed.scales.cols, "blocks of a row",
                scale_columns(packed.values.cols, packed.block));
}

void check_adapter(const Check& check, const AdapterView& adapter, std::int64_t groups, std::int64_t in,
                   std::int64_t out, const ConstMatrixView& rows) {
    if (!adapter.given()) return;
    check.plain("an adapter's a", adapter.a);
    check.plain("an adapter's b", adapter.b);
    check.same_type("rows", rows, "an adapter's a", adapter.a);
    check.same_type("rows", rows, "an adapter's b", adapter.b);
    const std::int64_t rank = adapter.b.cols;
    check.that(rank >= 1, "an adapter of rank {}", rank);
    check.equal("rows of an adapter's a", adapter.a.rows, "groups x rank", groups * rank);
    check.equal("columns of an adapter's a", adapter.a.cols, "inputs", in);
    check.equal("rows of an adapter's b", adapter.b.rows, "groups x outputs", groups * out);
}

}  // namespace

void Operations::gate_logits(Stream& stream, ConstMatrixView tokens, ConstMatrixView gate, MatrixView logits) {
    const Check check("gate_logits", row_alignment());
    check.plain("tokens", tokens);
    check.plain("gate", gate);
    check.table("logits", logits, {Scalar::fp32});
    check.same_type("tokens", tokens, "gate", gate);
    check.equal("columns of tokens", tokens.cols, "columns of gate", gate.cols);
    check.equal("rows of tokens", tokens.rows, "rows of logits", logits.rows);
    check.equal("rows of gate", gate.rows, "columns of logits", logits.cols);
    do_gate_logits(stream, tokens, gate, logits);
}

void Operations::dense(Stream& stream, ConstMatrixView rows, ConstMatrixView weights, MatrixView out) {
    const Check check("dense", row_alignment());
    check.plain("rows", rows);
    check.plain("weights", weights);
    check.plain("out", out);
    check.same_type("rows", rows, "weights", weights);
    check.same_type("rows", rows, "out", out);
    check.equal("columns of rows", rows.cols, "columns of weights", weights.cols);
    check.equal("rows of rows", rows.rows, "rows of out", out.rows);
    check.equal("rows of weights", weights.rows, "columns of out", out.cols);
    do_dense(stream, rows, weights, out);
}

void Operations::select(Stream& stream, const Selection& selection, ConstMatrixView logits, RoutingView out) {
    const Check check("select", row_alignment());
    check.table("logits", logits, {Scalar::fp32});
    check.expert_count(logits.cols);
    check.that(selection.top_k >= 1 && selection.top_k <= logits.cols, "{} of {} experts", selection.top_k,
               logits.cols);
    check_limit(check, selection.limit, logits.cols);
    if (!selection.bias.empty()) check.array("bias", selection.bias, logits.cols);
    check.routing(out, true);
    check.equal("tokens of the routing", out.tokens, "rows of logits", logits.rows);
    check.equal("places of the routing", out.width, "top_k", selection.top_k);
    do_select(stream, selection, logits, out);
}

void Operations::select_by_hash(Stream& stream, const HashSelection& selection, RoutingView out) {
    const Check check("select_by_hash", row_alignment());
    check.expert_count(selection.experts);
    check.that(selection.top_k >= 1 && selection.top_k <= selection.experts, "{} of {} experts", selection.top_k,
               selection.experts);
    check.that(selection.first_position >= 0 && selection.offset >= 0, "position {}, offset {}",
               selection.first_position, selection.offset);
    check.routing(out, true);
    check.equal("places of the routing", out.width, "top_k", selection.top_k);
    // (offset + p k) fits, so that no backend needs wider numbers.
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 4;
    check.that(selection.offset < most && selection.first_position < most / selection.top_k - out.tokens,
               "position {}, offset {}", selection.first_position, selection.offset);
    do_select_by_hash(stream, selection, out);
}

void Operations::choose_tokens(Stream& stream, Score score, std::int64_t capacity, ConstMatrixView logits,
                               RoutingView out, ArrayView<std::int64_t> lost) {
    const Check check("choose_tokens", row_alignment());
    check.table("logits", logits, {Scalar::fp32});
    check.expert_count(logits.cols);
    check.that(capacity >= 0, "capacity {}", capacity);
    check.routing(out, true);
    check.equal("tokens of the routing", out.tokens, "rows of logits", logits.rows);
    check.that(out.width <= logits.cols, "{} places for {} experts", out.width, logits.cols);
    check.array("lost", lost, 1);
    do_choose_tokens(stream, score, capacity, logits, out, lost);
}

void Operations::limit_load(Stream& stream, std::int64_t capacity, RoutingView routing, ArrayView<std::int32_t> load) {
    const Check check("limit_load", row_alignment());
    check.that(capacity >= 0, "capacity {}", capacity);
    check.routing(routing, true);
    check.expert_count(load.size);
    check.array("load", load, load.size);
    do_limit_load(stream, capacity, routing, load);
}

void Operations::order_by_destination(Stream& stream, ConstRoutingView routing,
                                      ArrayView<const std::int32_t> rank_of_expert, const DispatchOrderView& out) {
    const Check check("order_by_destination", row_alignment());
    check.routing(routing, false);
    const std::int64_t experts = rank_of_expert.size, ranks = out.rank_rows.size;
    check.expert_count(experts);
    check.that(ranks >= 1, "{} ranks", ranks);
    check.array("rank_of_expert", rank_of_expert, experts);
    check.array("expert_rows", out.expert_rows, experts);
    check.array("expert_begin", out.expert_begin, experts);
    check.array("rank_rows", out.rank_rows, ranks);
    check.array("rank_begin", out.rank_begin, ranks + 1);
    check.array("choice", out.choice, routing.choices());
    check.array("slot", out.slot, routing.choices());
    do_order_by_destination(stream, routing, rank_of_expert, out);
}

void Operations::order_by_rank(Stream& stream, ConstRoutingView routing, ArrayView<const std::int32_t> rank_of_expert,
                               const RankOrderView& out) {
    const Check check("order_by_rank", row_alignment());
    check.routing(routing, false);
    check.expert_count(rank_of_expert.size);
    const std::int64_t ranks = out.rank_rows.size;
    check.that(ranks >= 1 && ranks <= most_experts, "{} ranks", ranks);
    check.array("rank_of_expert", rank_of_expert, rank_of_expert.size);
    check.array("rank_rows", out.rank_rows, ranks);
    check.array("rank_begin", out.rank_begin, ranks + 1);
    check.array("token", out.token, routing.choices());
    check.array("slot", out.slot, routing.choices());
    check.array("sent", out.sent, routing.choices());
    do_order_by_rank(stream, routing, rank_of_expert, out);
}

void Operations::pack(Stream& stream, ConstMatrixView tokens, ArrayView<const std::int32_t> choice, std::int64_t width,
                      PackedView out) {
    const Check check("pack", row_alignment());
    check.plain("tokens", tokens);
    check_packed(check, out);
    if (out.values.scalar != Scalar::fp8_e4m3) check.same_type("tokens", tokens, "packed values", out.values);
    check.equal("columns of tokens", tokens.cols, "columns of packed values", out.values.cols);
    check.that(width >= 1, "{} places a token", width);
    check.at_least("choice", choice, out.values.rows);
    do_pack(stream, tokens, choice, width, out);
}

void Operations::unpack(Stream& stream, ConstPackedView packed, ArrayView<const std::int32_t> slot, MatrixView out) {
    const Check check("unpack", row_alignment());
    check.plain("out", out);
    check_packed(check, packed);
    if (packed.values.scalar != Scalar::fp8_e4m3) check.same_type("packed values", packed.values, "out", out);
    check.equal("columns of packed values", packed.values.cols, "columns of out", out.cols);
    check.at_least("slot", slot, out.rows);
    do_unpack(stream, packed, slot, out);
}

void Operations::expert_forward(Stream& stream, ConstMatrixView rows, std::span<const std::int64_t> group_begin,
                                const ExpertWeightsView& weights, MatrixView out) {
    const Check check("expert_forward", row_alignment());
    check.plain("rows", rows);
    check.plain("gate_up", weights.gate_up);
    check.plain("down", weights.down);
    check.plain("out", out);
    check.same_type("rows", rows, "gate_up", weights.gate_up);
    check.same_type("rows", rows, "down", weights.down);
    check.same_type("rows", rows, "out", out);
    check.ascends("group_begin", group_begin, rows.rows);
    check.equal("rows of rows", rows.rows, "rows of out", out.rows);
    check.equal("columns of rows", rows.cols, "columns of out", out.cols);
    const auto groups = static_cast<std::int64_t>(group_begin.size()) - 1;
    const std::int64_t hidden = rows.cols, inner = weights.down.cols;
    const std::int64_t first_outputs = weights.activation == Activation::swiglu ? 2 * inner : inner;
    check.equal("columns of gate_up", weights.gate_up.cols, "columns of rows", hidden);
    check.that(weights.gate_up.rows == groups * first_outputs || weights.gate_up.rows == first_outputs,
               "gate_up has {} rows, not {} for one expert or each of {}", weights.gate_up.rows, first_outputs, groups);
    check.that(weights.down.rows == groups * hidden || weights.down.rows == hidden,
               "down has {} rows, not {} for one expert or each of {}", weights.down.rows, hidden, groups);
    check_adapter(check, weights.gate_up_adapter, groups, hidden, first_outputs, rows);
    check_adapter(check, weights.down_adapter, groups, inner, hidden, rows);
    do_expert_forward(stream, rows, group_begin, weights, out);
}

void Operations::combine(Stream& stream, ConstMatrixView results, ArrayView<const std::int32_t> slot,
                         ArrayView<const float> weights, MatrixView out) {
    const Check check("combine", row_alignment());
    check.plain("results", results);
    check.plain("out", out);
    check.same_type("results", results, "out", out);
    check.equal("columns of results", results.cols, "columns of out", out.cols);
    check.that(out.rows == 0 ? weights.empty() : weights.size % out.rows == 0, "{} weights for {} tokens", weights.size,
               out.rows);
    check.that(weights.size <= most_choices, "{} weights are more than 2^31 - 1", weights.size);
    check.array("weights", weights, weights.size);
    if (slot.empty())
        check.equal("rows of results", results.rows, "weights", weights.size);
    else
        check.array("slot", slot, weights.size);
    do_combine(stream, results, slot, weights, out);
}

void Operations::round_products(Stream& stream, ArrayView<const float> weights, float step, std::int64_t limit,
                                MatrixView rows) {
    const Check check("round_products", row_alignment());
    check.plain("rows", rows);
    check.array("weights", weights, rows.rows);
    int exponent = 0;
    check.that(step >= 0x1p-100F && step <= 0x1p100F && std::frexp(step, &exponent) == 0.5F,
               "a step of {} is no power of two from 2^-100 to 2^100", step);
    check.that(limit >= 1 && limit <= most_steps, "a limit of {} steps is not from 1 to 2^23", limit);
    do_round_products(stream, weights, {step, 1 / step, static_cast<float>(limit)}, rows);
}

void Operations::attention(Stream& stream, const AttentionRules& rules, const AttentionView& in, MatrixView out) {
    const Check check("attention", row_alignment());
    check.that(
        rules.kv_heads >= 1 && rules.kv_heads <= most_kv_heads && rules.heads >= 1 && rules.heads % rules.kv_heads == 0,
        "{} heads with {} of keys", rules.heads, rules.kv_heads);
    check.that(rules.dim >= 1 && rules.dim <= most_head_dim, "heads of dimension {}", rules.dim);
    check.that(std::isfinite(rules.scale), "a scale of {}", rules.scale);
    check.plain("q", in.q);
    check.equal("columns of q", in.q.cols, "heads x dim", rules.heads * rules.dim);
    check.ascends("sequence_begin", in.sequence_begin, in.q.rows);
    // Keys or values, the same number of them as of something else.
    const auto of_tokens = [&](const char* what, const ConstMatrixView& m, const char* other, std::int64_t rows) {
        check.plain(what, m);
        check.same_type("q", in.q, what, m);
        check.that(m.rows == rows && m.cols == rules.kv_heads * rules.dim,
                   "{} is {} x {}; {} has {} rows, heads {} columns", what, m.rows, m.cols, other, rows,
                   rules.kv_heads * rules.dim);
    };
    of_tokens("k", in.k, "q", in.q.rows);
    of_tokens("v", in.v, "q", in.q.rows);
    if (in.context_k.rows > 0 || in.context_v.rows > 0) {
        check.that(in.sequences() > 0 && in.context_k.rows % in.sequences() == 0, "{} rows of context for {} sequences",
                   in.context_k.rows, in.sequences());
        of_tokens("context_k", in.context_k, "context_v", in.context_v.rows);
        of_tokens("context_v", in.context_v, "context_k", in.context_k.rows);
    }
    check.plain("out", out);
    check.same_type("q", in.q, "out", out);
    check.equal("rows of q", in.q.rows, "rows of out", out.rows);
    check.equal("columns of q", in.q.cols, "columns of out", out.cols);
    do_attention(stream, rules, in, out);
}

void Operations::add_residual(Stream& stream, ConstMatrixView a, ConstMatrixView b, MatrixView out) {
    const Check check("add_residual", row_alignment());
    check.plain("a", a);
    check.plain("b", b);
    check.plain("out", out);
    check.same_type("a", a, "b", b);
    check.same_type("a", a, "out", out);
    for (const ConstMatrixView& m : {b, ConstMatrixView(out)}) {
        check.equal("rows of a", a.rows, "rows of b or out", m.rows);
        check.equal("columns of a", a.cols, "columns of b or out", m.cols);
    }
    do_add_residual(stream, a, b, out);
}

}  // namespace moesim::kernels
