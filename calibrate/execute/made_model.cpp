#include "calibrate/execute/made_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.hpp"

namespace moesim {
namespace {

// What numbers are for: the keys of streams.
enum Purpose : std::uint64_t {
    token_values = 900,
    gate_values,
    gate_up_values,
    down_values,
    shared_gate_up_values,
    shared_down_values,
    logit_values,
    dense_values,
    context_keys,
    context_values
};

double half_width(std::int64_t inputs) { return std::sqrt(3.0 / static_cast<double>(inputs)); }

}  // namespace

void MadeModel::uniform(std::uint64_t purpose, std::size_t layer, std::uint64_t part, std::int64_t count,
                        double half_width, std::vector<float>& to) const {
    RandomStream stream(stream_key(seed_, purpose, layer), part);
    const double step = half_width / 32768;
    for (std::int64_t i = 0; i < count; i += 4) {
        std::uint64_t bits = stream.next();  // four numbers of 16 bits: more than bf16 has
        for (std::int64_t j = i; j < std::min(i + 4, count); ++j, bits >>= 16)
            to.push_back(static_cast<float>((static_cast<double>(bits & 0xffff) - 32768) * step));
    }
}

void MadeModel::token(std::int64_t token, std::vector<float>& row) const {
    uniform(token_values, 0, static_cast<std::uint64_t>(token), model_.hidden, 1, row);
}

std::vector<float> MadeModel::gate(std::size_t layer) const {
    std::vector<float> values;
    uniform(gate_values, layer, 0, model_.experts * model_.hidden, half_width(model_.hidden), values);
    return values;
}

std::vector<float> MadeModel::gate_up(std::size_t layer, std::span<const ExpertIndex> experts) const {
    std::vector<float> values;
    const std::int64_t rows = (model_.gated ? 2 : 1) * model_.expert_ffn;
    for (const ExpertIndex e : experts)
        uniform(gate_up_values, layer, e, rows * model_.hidden, half_width(model_.hidden), values);
    return values;
}

std::vector<float> MadeModel::down(std::size_t layer, std::span<const ExpertIndex> experts) const {
    std::vector<float> values;
    for (const ExpertIndex e : experts)
        uniform(down_values, layer, e, model_.hidden * model_.expert_ffn, half_width(model_.expert_ffn), values);
    return values;
}

std::vector<float> MadeModel::shared_gate_up(std::size_t layer) const {
    std::vector<float> values;
    const std::int64_t rows = (model_.gated ? 2 : 1) * model_.shared_experts * model_.shared_ffn;
    uniform(shared_gate_up_values, layer, 0, rows * model_.hidden, half_width(model_.hidden), values);
    return values;
}

std::vector<float> MadeModel::shared_down(std::size_t layer) const {
    std::vector<float> values;
    const std::int64_t inner = model_.shared_experts * model_.shared_ffn;
    uniform(shared_down_values, layer, 0, model_.hidden * inner, half_width(inner), values);
    return values;
}

std::vector<float> MadeModel::dense_matrix(std::size_t layer, std::int64_t part, std::int64_t rows,
                                           std::int64_t inputs) const {
    std::vector<float> values;
    uniform(dense_values, layer, static_cast<std::uint64_t>(part), rows * inputs, half_width(inputs), values);
    return values;
}

void MadeModel::context(std::size_t layer, std::int64_t block, std::int64_t sequence, std::int64_t count,
                        std::vector<float>& k, std::vector<float>& v) const {
    const auto number = static_cast<std::uint64_t>(sequence * 1024 + block);  // of blocks there are fewer
    uniform(context_keys, layer, number, count, 1, k);
    uniform(context_values, layer, number, count, 1, v);
}

std::vector<float> MadeModel::logits(std::size_t layer, const Routing& routing, std::int64_t first_token) const {
    std::vector<float> values;
    const auto experts = static_cast<std::size_t>(model_.experts);
    for (std::size_t t = 0; t < routing.tokens(); ++t) {
        uniform(logit_values, layer, static_cast<std::uint64_t>(first_token) + t, model_.experts, 1, values);
        float* const row = values.data() + t * experts;
        const auto chosen = routing.token(t);
        if (std::count(chosen.begin(), chosen.end(), no_expert) > 0)
            std::fill_n(row, experts, -std::numeric_limits<float>::infinity());
        float next = 2 + static_cast<float>(chosen.size());
        for (const ExpertIndex e : chosen)
            if (e != no_expert) row[e] = next--;
    }
    return values;
}

std::int64_t most_choices(const Scenario& s) {
    // Where experts choose their tokens, all of them may choose the same one.
    return s.routing.policy == Policy::expert_choice ? s.model.experts : s.model.top_k;
}

std::int64_t result_limit(const Scenario& s) { return most_exact_terms / most_choices(s); }

}  // namespace moesim
