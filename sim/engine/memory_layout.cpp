#include "engine/memory_layout.hpp"

#include <algorithm>

#include "cost/stage_cost.hpp"

#include "workload/source_tokens.hpp"

namespace moesim {
namespace {

constexpr std::int64_t activation_bytes = 2, logit_bytes = 4;

Bytes weights_of(const Scenario& s, std::size_t experts_here) {
    const ModelSpec& m = s.model;
    const std::int64_t tensor = s.parallelism.tensor;
    std::int64_t a_layer = m.hidden * m.experts * bytes_of(m.dtype) +
                           feed_forward_bytes(m, m.shared_experts * m.shared_ffn, tensor) +
                           m.dense_layers_per_moe_layer * feed_forward_bytes(m, m.dense_ffn, tensor);
    if (m.attention) {
        const std::int64_t width = query_width(*m.attention, tensor) + key_width(*m.attention, tensor);
        a_layer += (1 + m.dense_layers_per_moe_layer) * m.hidden * 2 * width * bytes_of(m.dtype);
    }
    return Bytes(m.moe_layers * a_layer +
                 static_cast<std::int64_t>(experts_here) * feed_forward_bytes(m, m.expert_ffn, tensor));
}

Bytes kv_cache_of(const Scenario& s, std::int64_t tokens) {
    if (!s.model.attention) return {};
    const std::int64_t layers = s.model.moe_layers * (1 + s.model.dense_layers_per_moe_layer);
    // A rank's share of the sequences, rounded up: a sequence is cached whole.
    const std::int64_t length = s.batch.tokens_per_sequence;
    const std::int64_t width = layers * 2 * key_width(*s.model.attention, s.parallelism.tensor) * activation_bytes;
    // Where ranks share sequences, each caches its own tokens, and as large a part of the context.
    if (s.parallelism.sequence > 1) return Bytes((tokens + (tokens * s.batch.context + length - 1) / length) * width);
    const std::int64_t sequences = (tokens + length - 1) / length;
    return Bytes(sequences * (s.batch.context + length) * width);
}

// Where tokens move, the whole expert group's sequences are cached on each of its ranks.
std::int64_t cached_tokens(const Scenario& s, const RankGrid& grid, const std::vector<Range>& sources,
                           std::size_t data) {
    if (s.dispatch.algorithm != Algorithm::context_coherent) return sources[data].size();
    std::int64_t cached = 0;
    for (std::size_t p = 0; p < grid.expert(); ++p) cached += sources[grid.group_begin(data) + p].size();
    return cached;
}

}  // namespace

Bytes memory_besides_experts(const Scenario& s) {
    const RankGrid grid(s.parallelism);
    const std::vector<Range> sources = source_tokens(s);
    Bytes most;
    for (std::size_t d = 0; d < grid.data(); ++d)
        most = std::max(most, kv_cache_of(s, cached_tokens(s, grid, sources, d)) +
                                  Bytes(2 * sources[d].size() * s.model.hidden * activation_bytes));
    return weights_of(s, 0) + most + s.profile.memory_reserved.value;
}

Bytes MemoryLayout::total() const {
    Bytes sum;
    for (const auto& [name, bytes] : parts()) sum += bytes;
    return sum;
}

std::array<std::pair<std::string_view, Bytes>, 11> MemoryLayout::parts() const {
    return {{{"weights", weights},
             {"kv_cache", kv_cache},
             {"input", input},
             {"output", output},
             {"send_buffer", send_buffer},
             {"forward", forward},
             {"expert_input", expert_input},
             {"expert_output", expert_output},
             {"returned", returned},
             {"temporary", temporary},
             {"reserved", reserved}}};
}

MemoryTally::MemoryTally(const Plan& plan)
    : scenario_(plan.scenario), placement_(plan.placement), grid_(plan.scenario.parallelism), sent_(grid_.ranks()),
      returned_(grid_.ranks()), received_(grid_.ranks()), forwarded_(grid_.ranks()), computed_(grid_.ranks()),
      tokens_(grid_.ranks()), chunk_rows_(grid_.ranks()) {}

void MemoryTally::add(const std::vector<Exchange>& chunks, const std::vector<Exchange>& returns) {
    for (std::size_t r = 0; r < grid_.ranks(); ++r) {
        std::int64_t sent = 0, received = 0, forwarded = 0, computed = 0, tokens = 0;
        for (const Exchange& chunk : chunks) {
            sent += chunk.sent_rows[r];
            received += chunk.received_rows[r];
            tokens += chunk.tokens[r];
            forwarded += chunk.forwarded_rows[r];
            const std::int64_t rows = chunk.computed_rows(r);
            computed += rows;
            chunk_rows_[r] = std::max(chunk_rows_[r], rows);
        }
        std::int64_t returned = 0;
        for (const Exchange& chunk : returns) returned += chunk.sent_rows[r];
        sent_[r] = std::max(sent_[r], sent);
        returned_[r] = std::max(returned_[r], returned);
        received_[r] = std::max(received_[r], received);
        forwarded_[r] = std::max(forwarded_[r], forwarded);
        computed_[r] = std::max(computed_[r], computed);
        tokens_[r] = std::max(tokens_[r], tokens);
    }
}

std::vector<MemoryLayout> MemoryTally::layouts() const {
    const Scenario& s = scenario_;
    const ModelSpec& m = s.model;
    const std::int64_t alive = s.schedule.order == Order::interleaved ? s.schedule.micro_batches : 1;
    const std::vector<Range> sources = source_tokens(s);
    std::vector<MemoryLayout> all(grid_.ranks());
    for (std::size_t r = 0; r < all.size(); ++r) {
        const std::size_t data = grid_.data_of(RankId(r));
        const std::int64_t tokens = sources[data].size();
        MemoryLayout& l = all[r];
        l.weights = weights_of(s, placement_.experts_at(data % grid_.expert()));
        l.kv_cache = kv_cache_of(s, cached_tokens(s, grid_, sources, data));
        l.input = l.output = Bytes(tokens * m.hidden * activation_bytes);
        l.send_buffer = Bytes(sent_[r] * m.hidden * bytes_of(s.dispatch.dtype)) * alive;
        l.expert_input = Bytes(received_[r] * m.hidden * bytes_of(s.dispatch.dtype)) * alive;
        l.forward =
            Bytes(forwarded_[r] * m.hidden * (bytes_of(s.dispatch.dtype) + bytes_of(s.dispatch.return_dtype))) * alive;
        l.expert_output = Bytes(computed_[r] * m.hidden * bytes_of(s.dispatch.return_dtype)) * alive;
        l.returned = Bytes(returned_[r] * m.hidden * bytes_of(s.dispatch.return_dtype)) * alive;
        // Projections into the inner width and the activation of them, a row each.
        const std::int64_t widest = std::max(
            {chunk_rows_[r] * m.expert_ffn, tokens_[r] * m.shared_experts * m.shared_ffn, tokens_[r] * m.dense_ffn});
        const std::int64_t inner = widest / s.parallelism.tensor * (m.gated ? 3 : 2);
        std::int64_t projections = 0;
        if (m.attention)
            projections =
                tokens_[r] * 2 *
                (query_width(*m.attention, s.parallelism.tensor) + key_width(*m.attention, s.parallelism.tensor));
        // Around a ring two blocks of keys and values come in while two go on, of one MoE layer.
        const std::int64_t length = s.batch.tokens_per_sequence;
        const Bytes block =
            StageCost(s).keys_and_values_of_layer(tokens_[r] + (tokens_[r] * s.batch.context + length - 1) / length);
        const Bytes going_around = s.parallelism.sequence > 1 ? block * 4 : Bytes{};
        l.temporary =
            going_around + std::max({Bytes(inner * activation_bytes), Bytes(tokens_[r] * m.experts * logit_bytes),
                                     Bytes(projections * activation_bytes)});
        l.reserved = s.profile.memory_reserved.value;
    }
    return all;
}

}  // namespace moesim
