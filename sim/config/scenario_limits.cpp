#include "config/scenario_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/placement_document.hpp"

namespace moesim {
namespace {

constexpr double max_transfers = 5e7, max_choices = 1e12, max_pairs = 2e7, max_counts = 2e8;
constexpr double max_scores = 5e8, max_logits = 2e10, max_draws = 1e8;
constexpr double max_bytes = 1e18;  // leaves room for sums of several such counts below 2^63

double real(std::int64_t v) { return static_cast<double>(v); }

double transfers(const Scenario& s) {
    return 2 * real(s.parallelism.ranks()) * real(s.parallelism.expert) * real(s.model.moe_layers) *
           real(s.schedule.micro_batches) * real(s.schedule.chunks);
}

double choices(const Scenario& s) {
    double a_token = real(s.model.top_k);
    if (s.routing.policy == Policy::expert_choice)
        a_token = std::min(a_token * s.routing.capacity_factor.value_or(1) + 1, real(s.model.experts));
    return real(s.batch.tokens()) * a_token * real(s.model.moe_layers);
}

// Of one layer, a token's queries and the output of its heads, and its keys and values.
double query_width(const ModelSpec& m) {
    return m.attention ? 2 * real(m.attention->heads) * real(m.attention->head_dim) : 0;
}
double key_value_width(const ModelSpec& m) {
    return m.attention ? 2 * real(m.attention->kv_heads) * real(m.attention->head_dim) : 0;
}

double blocks(const ModelSpec& m) { return real(m.moe_layers) * (1 + real(m.dense_layers_per_moe_layer)); }

// Of experts, all layers together.
double copies(const Scenario& s) {
    if (!s.placement.document) return real(s.model.moe_layers) * real(s.model.experts);
    double sum = 0;
    for (std::size_t l = 0; l < s.placement.document->layers.size(); ++l)
        sum += static_cast<double>(s.placement.document->copies(l));
    return sum;
}

double weight_bytes(const Scenario& s) {
    const ModelSpec& m = s.model;
    const double inner =
        copies(s) * real(m.expert_ffn) + real(m.moe_layers) * (real(m.shared_experts) * real(m.shared_ffn) +
                                                               real(m.dense_layers_per_moe_layer) * real(m.dense_ffn));
    const double attention = blocks(m) * (query_width(m) + key_value_width(m));
    return bytes_of(m.dtype) * real(m.hidden) * ((m.gated ? 3 : 2) * inner + attention);
}

double cache_bytes(const Scenario& s) {
    return 2.0 * blocks(s.model) * key_value_width(s.model) * real(s.batch.sequences) *
           (real(s.batch.context) + real(s.batch.tokens_per_sequence));
}

// What all ranks together send: each choice there and back, and the sums of tensor-parallel groups.
double traffic_bytes(const Scenario& s) {
    const double row = 2.0 * real(s.model.hidden), group = real(s.parallelism.tensor);
    const double sums = group > 1 ? 2 * group * (2 * blocks(s.model) * real(s.batch.tokens()) + choices(s)) : 0;
    return row * (2 * group * choices(s) + sums);
}

// Scores of tokens by experts that are held at once, by policies that weigh the tokens of a micro-batch against each
// other and by full rankings.
double held_scores(const Scenario& s) {
    const RoutingSpec& r = s.routing;
    const bool compares = r.policy == Policy::expert_choice || r.policy == Policy::sinkhorn;
    const bool ranks = r.capacity_factor && r.overflow == Overflow::next_choice;
    if (!compares && !ranks) return 0;
    double largest = 1;  // of a source, as a multiple of the mean
    for (const double w : s.batch.source_weights) largest = std::max(largest, w);
    const double tokens = real(s.batch.tokens()) / real(s.parallelism.data) / real(s.schedule.micro_batches) * largest;
    return std::min(tokens, real(s.batch.tokens()) / real(s.schedule.micro_batches)) * real(s.model.experts);
}

// Logits that are looked at before the run starts.
double feedback_logits(const Scenario& s) {
    if (s.routing.policy != Policy::bias_balanced) return 0;
    return real(s.routing.bias.steps) * real(s.routing.bias.tokens) * real(s.model.moe_layers) * real(s.model.experts);
}

double drift_draws(const Scenario& s) {
    if (s.routing.popularity.drift <= 0) return 0;
    return real(s.routing.step) * real(s.model.moe_layers) * real(s.model.experts);
}

}  // namespace

std::optional<Excess> excess_of(const Scenario& s) {
    struct Limit {
        const char* key;
        const char* what;
        double amount, most;
    };
    const double ranks = real(s.parallelism.ranks());
    const std::array<Limit, 10> limits{{
        {"topology", "pairs of ranks", ranks * ranks, max_pairs},
        {"model", "counts of rows (ranks x experts x chunks)", ranks * real(s.model.experts) * real(s.schedule.chunks),
         max_counts},
        {"schedule", "transfers (2 x ranks x expert x moe_layers x micro_batches x chunks)", transfers(s),
         max_transfers},
        {"batch", "choices of an expert (tokens x top_k x moe_layers)", choices(s), max_choices},
        {"routing", "scores held at once (tokens of a source's micro-batch x experts)", held_scores(s), max_scores},
        {"routing", "logits before the run (bias steps x tokens x moe_layers x experts)", feedback_logits(s),
         max_logits},
        {"routing", "draws of the drift (step x moe_layers x experts)", drift_draws(s), max_draws},
        {"model", "bytes of weights", weight_bytes(s), max_bytes},
        {"batch", "bytes of cached keys and values", cache_bytes(s), max_bytes},
        {"batch", "bytes sent between ranks", traffic_bytes(s), max_bytes},
    }};
    for (const Limit& l : limits)
        if (l.amount > l.most)
            return Excess{l.key, fmt::format("{:.3g} {}", l.amount, l.what), fmt::format("at most {:.3g}", l.most)};
    return std::nullopt;
}

}  // namespace moesim
