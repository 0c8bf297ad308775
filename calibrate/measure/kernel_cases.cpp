#include "calibrate/measure/kernel_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "calibrate/measure/kernel_calls.hpp"
#include "cost/kernel_law.hpp"
#include "cost/stage_cost.hpp"

namespace moesim {
namespace {

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
    void add(KernelOperation operation, const std::string& shape, const PerQuantity& counts, MakeCall make) {
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

    SharedNumbers numbers_ = std::make_shared<CallNumbers>();
    std::int64_t cold_, memory_;
    std::vector<KernelCase> cases_;
};

}  // namespace

std::vector<KernelCase> kernel_cases(const KernelGrid& grid, std::int64_t cold, std::int64_t memory) {
    Cases cases(cold, memory);
    for (const std::int64_t t : grid.tokens)
        for (const LayerShape& s : grid.shapes) cases.add(s, t);
    return cases.take();
}

}  // namespace moesim
