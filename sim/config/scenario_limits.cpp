#include "config/scenario_limits.hpp"

#include <fmt/format.h>

#include <array>

namespace moesim {
namespace {

constexpr double max_transfers = 5e7, max_choices = 1e12, max_pairs = 2e7, max_counts = 2e8;
constexpr double max_bytes = 1e18;  // leaves room for sums of several such counts below 2^63

double real(std::int64_t v) { return static_cast<double>(v); }

double transfers(const Scenario& s) {
    return 2 * real(s.parallelism.ranks()) * real(s.parallelism.expert) * real(s.model.moe_layers) *
           real(s.schedule.micro_batches) * real(s.schedule.chunks);
}

double choices(const Scenario& s) { return real(s.batch.tokens()) * real(s.model.top_k) * real(s.model.moe_layers); }

// Of one layer, a token's queries and the output of its heads, and its keys and values.
double query_width(const ModelSpec& m) {
    return m.attention ? 2 * real(m.attention->heads) * real(m.attention->head_dim) : 0;
}
double key_value_width(const ModelSpec& m) {
    return m.attention ? 2 * real(m.attention->kv_heads) * real(m.attention->head_dim) : 0;
}

double blocks(const ModelSpec& m) { return real(m.moe_layers) * (1 + real(m.dense_layers_per_moe_layer)); }

double weight_bytes(const ModelSpec& m) {
    const double inner =
        real(m.moe_layers) * (real(m.experts) * real(m.expert_ffn) + real(m.shared_experts) * real(m.shared_ffn) +
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

}  // namespace

std::optional<Excess> excess_of(const Scenario& s) {
    struct Limit {
        const char* key;
        const char* what;
        double amount, most;
    };
    const double ranks = real(s.parallelism.ranks());
    const std::array<Limit, 7> limits{{
        {"topology", "pairs of ranks", ranks * ranks, max_pairs},
        {"model", "counts of rows (ranks x experts x chunks)", ranks * real(s.model.experts) * real(s.schedule.chunks),
         max_counts},
        {"schedule", "transfers (2 x ranks x expert x moe_layers x micro_batches x chunks)", transfers(s),
         max_transfers},
        {"batch", "choices of an expert (tokens x top_k x moe_layers)", choices(s), max_choices},
        {"model", "bytes of weights", weight_bytes(s.model), max_bytes},
        {"batch", "bytes of cached keys and values", cache_bytes(s), max_bytes},
        {"batch", "bytes sent between ranks", traffic_bytes(s), max_bytes},
    }};
    for (const Limit& l : limits)
        if (l.amount > l.most)
            return Excess{l.key, fmt::format("{:.3g} {}", l.amount, l.what), fmt::format("at most {:.3g}", l.most)};
    return std::nullopt;
}

}  // namespace moesim
