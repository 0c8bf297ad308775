#pragma once
// What tokens want: the scores that a router gives to the experts, before any policy selects from them.
#include <memory>
#include <span>
#include <vector>

#include "base/split.hpp"
#include "config/scenario.hpp"
#include "workload/routing.hpp"

namespace moesim {

class Gate {
  public:
    virtual ~Gate() = default;
    Gate() = default;
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    [[nodiscard]] virtual std::size_t experts() const = 0;

    // The logits of the tokens `part` of the batch (positions in it, from 0): out is [token][expert]; minus infinity
    // for an expert that cannot be chosen.
    virtual void logits(const TokenBatch& batch, Range part, std::span<float> out) const = 0;

    // The `count` best experts of each token of the batch, best first, with the softmax of their logits as weights if
    // asked for: in law, what selecting from logits() gives. Overridden where there is a faster way.
    virtual void draw(const TokenBatch& batch, std::size_t count, Routing& out) const;
};

// The gate of a scenario: its fitted workload model, or its popularity with noise.
std::shared_ptr<const Gate> make_gate(const Scenario& scenario);

// Tokens whose logits are held at once: [token][expert] of a block stays in the second-level cache.
inline constexpr std::int64_t gate_block = 256;

// Calls use(position in the batch, logits of that token) for each token; logits may be changed.
template <class Use>
void for_each_token(const Gate& gate, const TokenBatch& batch, Use use) {
    const std::size_t experts = gate.experts();
    std::vector<float> logits(static_cast<std::size_t>(gate_block) * experts);
    for (Range part{0, 0}; part.begin < batch.tokens.size(); part.begin = part.end) {
        part.end = std::min(part.begin + gate_block, batch.tokens.size());
        const auto used = std::span(logits).first(static_cast<std::size_t>(part.size()) * experts);
        gate.logits(batch, part, used);
        for (std::int64_t t = part.begin; t < part.end; ++t)
            use(static_cast<std::size_t>(t), used.subspan(static_cast<std::size_t>(t - part.begin) * experts, experts));
    }
}

// Weights that sum to 1: the softmax of the chosen experts' logits; 0 where there is no expert.
void softmax_of_chosen(std::span<const float> logits, std::span<const ExpertIndex> chosen, std::span<float> weights);

}  // namespace moesim
