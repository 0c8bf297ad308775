#include "cost/stage_cost.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "cost/kernel_law.hpp"

namespace moesim {
namespace {

constexpr double activation_bytes = 2.0;  // bf16
constexpr double logit_bytes = 4.0;       // fp32
constexpr double choice_bytes = 8.0;      // an expert id and its weight

double real(std::int64_t v) { return static_cast<double>(v); }

std::optional<ExpertKernel> fitted_kernel(const Scenario& s) {
    const std::string& name =
        s.model.expert_kernel.empty() ? s.profile.experts.stage(s.model.dtype) : s.model.expert_kernel;
    if (name.empty() || name == roofline_kernel) return std::nullopt;
    return *s.profile.experts.find(name);  // the scenario's reader has looked
}

// The laws of timed operations, for the stages that there are all of: those of bf16 models, the storage that they were
// timed with. Experts are left to a fitted kernel, or to the roofline, where the model or the profile names one.
KernelsProfile timed_kernels(const Scenario& s) {
    if (s.model.dtype != Dtype::bf16) return {};
    KernelsProfile k = s.profile.kernels;
    const bool named = !s.model.expert_kernel.empty() || !s.profile.experts.stage(s.model.dtype).empty();
    k.laws.erase(
        std::remove_if(k.laws.begin(), k.laws.end(),
                       [&](const KernelLaw& l) { return named && l.operation == KernelOperation::expert_forward; }),
        k.laws.end());
    return k;
}

KernelOperation packing(Dtype dtype) { return dtype == Dtype::fp8 ? KernelOperation::pack_fp8 : KernelOperation::pack; }
KernelOperation unpacking(Dtype dtype) {
    return dtype == Dtype::fp8 ? KernelOperation::unpack_fp8 : KernelOperation::unpack;
}
KernelOperation ordering(Dedup dedup) {
    return dedup == Dedup::none ? KernelOperation::order_by_destination : KernelOperation::order_by_rank;
}

// A token's top_k choices over the ranks that it goes to, of `expert` that share the experts evenly, each choice alike
// likely: top_k / (ranks (1 - C(E - E/ranks, top_k) / C(E, top_k))).
double rows_of_token(const Scenario& s) {
    const double all = real(s.model.experts), of_rank = all / real(s.parallelism.expert);
    double missed = 1;
    for (std::int64_t i = 0; i < s.model.top_k; ++i) missed *= std::max(0.0, all - of_rank - real(i)) / (all - real(i));
    return real(s.model.top_k) / (real(s.parallelism.expert) * (1 - missed));
}

}  // namespace

std::int64_t query_width(const AttentionSpec& a, std::int64_t tensor) { return a.heads / tensor * a.head_dim; }

std::int64_t key_width(const AttentionSpec& a, std::int64_t tensor) {
    return (a.kv_heads + tensor - 1) / tensor * a.head_dim;
}

std::int64_t feed_forward_bytes(const ModelSpec& m, std::int64_t inner, std::int64_t tensor) {
    return (m.gated ? 3 : 2) * m.hidden * (inner / tensor) * bytes_of(m.dtype);
}

AttentionWork attention_work(const AttentionSpec& a, const BatchSpec& batch, std::int64_t tokens, std::int64_t tensor,
                             std::int64_t sequence) {
    const std::int64_t q = query_width(a, tensor), kv = key_width(a, tensor);
    // A token attends to the context and, in its own sequence, to what comes before it (half, on average) or to all.
    const double length = real(batch.tokens_per_sequence);
    const double attended = real(batch.context) + (a.causal ? (length + 1) / 2 : length);
    const Flops flops(4.0 * real(tokens) * attended * real(q));  // scores and weighted values, 2 each
    // Each of the ranks that share a sequence reads all of its keys and values.
    const double sequences = real(tokens) / length * real(sequence);
    const double cached = sequences * (real(batch.context) + length) * 2.0 * real(kv);
    const double bytes = (2.0 * real(tokens) * real(q) + cached) * activation_bytes;
    return {flops, bytes};
}

StageCost::StageCost(const Scenario& s)
    : model_(s.model), kernel_(fitted_kernel(s)), timed_(timed_kernels(s)), rows_a_token_(rows_of_token(s)),
      experts_(std::max<std::int64_t>(1, s.model.experts / s.parallelism.expert)), batch_(s.batch),
      dispatch_(s.dispatch), tensor_(s.parallelism.tensor), expert_parallel_(s.parallelism.expert),
      sequence_(s.parallelism.sequence), profile_(s.profile), roofline_(s.profile) {}

Seconds StageCost::attention_block(std::int64_t tokens) const {
    if (!model_.attention) return {};
    const std::int64_t q = query_width(*model_.attention, tensor_);
    const auto [flops, bytes] = attention_work(*model_.attention, batch_, tokens, tensor_, sequence_);
    const Seconds fused = timed(KernelOperation::attention)
                              ? time(KernelOperation::attention, attention_counts(tokens, bytes, flops.value()))
                              : roofline_.attention(flops, bytes);
    return projection(tokens) + fused + product(tokens, model_.hidden, q);
}

bool StageCost::timed(KernelOperation operation) const { return timed_.find(operation) != nullptr; }

Seconds StageCost::time(KernelOperation operation, const PerQuantity& counts) const {
    return kernel_time(timed_, operation, counts);
}

Seconds StageCost::product(std::int64_t rows, std::int64_t n, std::int64_t k) const {
    return timed(KernelOperation::dense) ? time(KernelOperation::dense, dense_counts(rows, n, k))
                                         : roofline_.dense(model_.dtype, rows, n, k);
}

Seconds StageCost::feed_forward(const MatmulProfile& kind, std::span<const std::int64_t> rows,
                                std::int64_t inner) const {
    const std::int64_t all = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
    if (all == 0) return {};
    const std::int64_t width = inner / tensor_, inputs = model_.gated ? 2 : 1;
    if (!kernel_ && timed(KernelOperation::expert_forward))
        return time(KernelOperation::expert_forward, expert_counts(rows, model_.hidden, width, model_.gated));
    // The activation reads its inputs and writes one value each.
    const double activation = real(all) * real(width) * real(inputs + 1) * activation_bytes;
    return roofline_.matmul(kind, model_.dtype, rows, inputs * width, model_.hidden) + roofline_.streaming(activation) +
           roofline_.matmul(kind, model_.dtype, rows, model_.hidden, width);
}

Seconds StageCost::attention(std::int64_t tokens) const {
    if (tokens == 0) return {};
    const auto dense = static_cast<double>(model_.dense_layers_per_moe_layer);
    Seconds time = (1.0 + dense) * attention_block(tokens);
    if (dense > 0) time += dense * feed_forward(profile_.dense, std::array{tokens}, model_.dense_ffn);
    // As it is executed: what each block and layer makes is added to what came in.
    if (timed(KernelOperation::dense) && timed(KernelOperation::add_residual) && model_.attention)
        time += (1.0 + 2.0 * dense) * residual(tokens);
    return time;
}

Seconds StageCost::projection(std::int64_t tokens) const {
    if (tokens == 0 || !model_.attention) return {};
    const AttentionSpec& a = *model_.attention;
    return product(tokens, query_width(a, tensor_) + 2 * key_width(a, tensor_), model_.hidden);
}

Seconds StageCost::gate(std::int64_t tokens) const {
    if (timed(KernelOperation::gate_logits))
        return time(KernelOperation::gate_logits, gate_counts(tokens, model_.hidden, model_.experts));
    return roofline_.dense(profile_.peak_bf16 ? Dtype::bf16 : Dtype::fp8, tokens, model_.experts, model_.hidden);
}

Seconds StageCost::select(std::int64_t tokens) const {
    if (tokens == 0) return {};
    const KernelOperation order = ordering(dispatch_.dedup);
    if (timed(KernelOperation::select) && timed(order))
        return time(KernelOperation::select, select_counts(tokens, model_.experts, model_.top_k)) +
               time(order, order_counts(tokens, model_.top_k, model_.experts, expert_parallel_));
    return roofline_.streaming(real(tokens) * (real(model_.experts) * logit_bytes + real(model_.top_k) * choice_bytes));
}

Seconds StageCost::pack(std::int64_t rows) const {
    if (rows == 0) return {};
    const KernelOperation pack = packing(dispatch_.dtype);
    if (timed(pack)) return time(pack, moved_counts(rows, model_.hidden, dispatch_.dtype == Dtype::fp8));
    return roofline_.streaming(real(rows) * real(model_.hidden) * (activation_bytes + bytes_of(dispatch_.dtype)));
}

Seconds StageCost::expert(std::span<const std::int64_t> rows) const {
    const std::int64_t computed = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
    if (!kernel_ && experts_timed()) {
        const KernelOperation spread = unpacking(dispatch_.dtype);
        return time(spread, moved_counts(computed, model_.hidden, dispatch_.dtype == Dtype::fp8)) +
               time(KernelOperation::expert_forward,
                    expert_counts(rows, model_.hidden, model_.expert_ffn / tensor_, model_.gated)) +
               time(KernelOperation::round_rows, round_counts(computed, model_.hidden));
    }
    if (!kernel_) return feed_forward(profile_.grouped, rows, model_.expert_ffn);
    const double all = real(computed);
    const auto tokens = static_cast<std::int64_t>(std::ceil(all / rows_a_token_ - 1e-9));
    return expert_kernel_time(*kernel_,
                              {model_.hidden, model_.expert_ffn / tensor_, model_.gated, tokens, experts_, all, rows});
}

bool StageCost::experts_timed() const {
    return timed(unpacking(dispatch_.dtype)) && timed(KernelOperation::expert_forward) &&
           timed(KernelOperation::round_rows) && timed(KernelOperation::combine);
}

Seconds StageCost::expert_at_least(std::span<const std::int64_t> rows, std::int64_t ranks,
                                   std::optional<double> sums_of_copies) const {
    if (kernel_ || experts_timed()) return {};
    Roofline::Means mean;
    const std::int64_t tile = profile_.grouped.tile_m.value;
    for (const std::int64_t r : rows) {
        mean.groups += r > 0 ? 1 : 0;
        mean.rows += real(r);
        mean.tiles += real((r + tile - 1) / tile);
    }
    if (mean.rows <= 0) return {};
    for (double* of : {&mean.groups, &mean.rows, &mean.tiles}) *of /= real(ranks);
    const std::int64_t width = model_.expert_ffn / tensor_, inputs = model_.gated ? 2 : 1;
    const auto both = [&](auto least) {
        return (roofline_.*least)(profile_.grouped, model_.dtype, mean, inputs * width, model_.hidden) +
               (roofline_.*least)(profile_.grouped, model_.dtype, mean, model_.hidden, width);
    };
    // As feed_forward() and sum_up() have it. A rank without rows takes no time; the others have more on average then.
    Seconds means = both(&Roofline::mean_at_least) +
                    roofline_.streaming(mean.rows * real(width) * real(inputs + 1) * activation_bytes);
    if (sums_of_copies)
        means += roofline_.streaming((mean.rows + *sums_of_copies) * real(model_.hidden) * activation_bytes);
    return std::max(means, both(&Roofline::waves_at_least));
}

Seconds StageCost::sum_up(std::int64_t computed, std::int64_t copies) const {
    // Timed operations sum up whatever there is, also where each copy met one expert only.
    if (!kernel_ && experts_timed())
        return time(KernelOperation::combine, combine_counts(computed, copies, model_.hidden));
    if (computed <= copies) return {};
    return roofline_.streaming(real(computed + copies) * real(model_.hidden) * activation_bytes);
}

Seconds StageCost::shared_experts(std::int64_t tokens) const {
    if (tokens == 0 || model_.shared_experts == 0) return {};
    // Several shared experts see the same tokens: one wider feed-forward.
    return feed_forward(profile_.dense, std::array{tokens}, model_.shared_experts * model_.shared_ffn);
}

Seconds StageCost::unpack(std::int64_t rows) const {
    if (rows == 0) return {};
    const KernelOperation unpack = unpacking(dispatch_.return_dtype);
    if (timed(unpack)) return time(unpack, moved_counts(rows, model_.hidden, dispatch_.return_dtype == Dtype::fp8));
    return roofline_.streaming(real(rows) * real(model_.hidden) *
                               (bytes_of(dispatch_.return_dtype) + activation_bytes));
}

Seconds StageCost::combine(std::int64_t rows, std::int64_t tokens) const {
    if (tokens == 0) return {};
    if (timed(KernelOperation::combine)) {
        const Seconds sum = time(KernelOperation::combine, combine_counts(rows, tokens, model_.hidden));
        return model_.shared_experts > 0 && timed(KernelOperation::add_residual) ? sum + residual(tokens) : sum;
    }
    return roofline_.streaming(real(rows + tokens) * real(model_.hidden) * activation_bytes);
}

Seconds StageCost::residual(std::int64_t tokens) const {
    if (tokens == 0) return {};
    if (timed(KernelOperation::add_residual))
        return time(KernelOperation::add_residual, residual_counts(tokens, model_.hidden));
    return roofline_.streaming(3.0 * real(tokens) * real(model_.hidden) * activation_bytes);
}

int StageCost::attention_all_reduces() const {
    const auto dense = static_cast<int>(model_.dense_layers_per_moe_layer);
    return (model_.attention ? 1 + dense : 0) + dense;
}

Bytes StageCost::keys_and_values(std::int64_t tokens) const {
    return keys_and_values_of_layer(tokens) * model_.moe_layers;
}

Bytes StageCost::keys_and_values_of_layer(std::int64_t tokens) const {
    if (!model_.attention) return {};
    const std::int64_t blocks = 1 + model_.dense_layers_per_moe_layer;
    return Bytes(tokens * blocks * 2 * key_width(*model_.attention, tensor_) * 2);
}

Bytes StageCost::activation(std::int64_t rows) const { return Bytes(rows * model_.hidden * 2); }

}  // namespace moesim
