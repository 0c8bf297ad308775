#include "workload/expert_choice_policy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "base/matrix.hpp"
#include "workload/capacity.hpp"
#include "workload/softmax.hpp"

namespace moesim {
namespace {

// The probabilities that a gate gives, [expert][token].
Matrix<float> probabilities(const Gate& gate, const TokenBatch& batch) {
    const auto tokens = static_cast<std::size_t>(batch.tokens.size());
    const std::size_t experts = gate.experts();
    Matrix<float> probability(experts, tokens);
    // Transposed some tokens at a time: rows that far apart share few places of the cache.
    constexpr std::size_t at_a_time = 16;
    std::vector<float> some(at_a_time * experts);  // [token][expert]
    for_each_token(gate, batch, [&](std::size_t t, std::span<float> logits) {
        softmax(logits);
        std::copy(logits.begin(), logits.end(), some.begin() + static_cast<std::ptrdiff_t>(t % at_a_time * experts));
        if ((t + 1) % at_a_time != 0 && t + 1 != tokens) return;
        const std::size_t first = t - t % at_a_time;
        for (std::size_t e = 0; e < experts; ++e)
            for (std::size_t i = first; i <= t; ++i) probability(e, i) = some[(i - first) * experts + e];
    });
    return probability;
}

// The `rank`-th largest (from 1) of numbers between 0 and 1. Bits of such floats are in the order of the numbers: they
// are counted by the upper ones, and only what shares these with the answer is looked at closely.
float nth_largest(std::span<const float> values, std::size_t rank) {
    constexpr int lower_bits = 19;
    const auto upper = [](float x) { return std::bit_cast<std::uint32_t>(x) >> lower_bits; };
    std::array<std::uint32_t, (std::bit_cast<std::uint32_t>(2.0F) >> lower_bits) + 1> count{};
    for (const float x : values) ++count[upper(x)];
    std::size_t bin = count.size() - 1;
    for (; count[bin] < rank; --bin) rank -= count[bin];
    std::vector<float> near;
    near.reserve(count[bin]);
    for (const float x : values)
        if (upper(x) == bin) near.push_back(x);
    const auto nth = near.begin() + static_cast<std::ptrdiff_t>(rank - 1);
    std::nth_element(near.begin(), nth, near.end(), std::greater<>());
    return *nth;
}

// Calls use(token) for the `count` tokens with the largest probabilities above 0, of equal ones the earlier.
template <class Use>
void for_each_best(std::span<const float> probability, std::size_t count, Use use) {
    if (count == 0) return;
    const float least = nth_largest(probability, count);
    auto equal = static_cast<std::ptrdiff_t>(count) -
                 std::count_if(probability.begin(), probability.end(), [&](float p) { return p > least; });
    for (std::size_t t = 0; t < probability.size(); ++t) {
        if (!(probability[t] >= least)) continue;
        if (probability[t] == least && (least <= 0 || equal-- <= 0)) continue;
        use(t);
    }
}

}  // namespace

ExpertChoicePolicy::ExpertChoicePolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, double factor)
    : gate_(std::move(gate)), top_k_(top_k), factor_(factor) {}

void ExpertChoicePolicy::route(const TokenBatch& batch, Routing& out) const {
    const auto tokens = static_cast<std::size_t>(batch.tokens.size());
    const std::size_t experts = gate_->experts();
    const Matrix<float> probability = probabilities(*gate_, batch);
    const auto capacity = static_cast<std::size_t>(
        std::min(expert_capacity(factor_, batch.tokens.size(), static_cast<std::int64_t>(top_k_),
                                 static_cast<std::int64_t>(experts)),
                 batch.tokens.size()));
    struct Choice {
        std::uint32_t token;
        ExpertIndex expert;
    };
    std::vector<Choice> choices;
    choices.reserve(capacity * experts);
    std::vector<std::size_t> held(tokens);
    for (std::size_t e = 0; e < experts; ++e)
        for_each_best(probability.row(e), capacity, [&](std::size_t t) {
            choices.push_back({static_cast<std::uint32_t>(t), static_cast<ExpertIndex>(e)});
            ++held[t];
        });
    const std::size_t width = tokens == 0 ? 1 : std::max<std::size_t>(1, *std::max_element(held.begin(), held.end()));
    out.clear(tokens, width);
    std::fill(held.begin(), held.end(), 0);
    for (const Choice& c : choices) {  // by insertion; of equal probabilities the lower expert came earlier
        ExpertIndex* const row = out.experts.data() + c.token * width;
        std::size_t place = held[c.token]++;
        for (; place > 0 && probability(row[place - 1], c.token) < probability(c.expert, c.token); --place)
            row[place] = row[place - 1];
        row[place] = c.expert;
    }
    if (!batch.want_gates) return;
    out.gates.resize(out.experts.size());
    for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t i = 0; i < held[t]; ++i) out.gates[t * width + i] = probability(out.experts[t * width + i], t);
}

}  // namespace moesim
