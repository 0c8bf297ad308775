#pragma once
// The steps of selection.hpp for all tokens of a table: one at a time, or, where few experts are chosen of not too
// many, several at once, a lane each. Choosing them one by one is a chain of instructions that wait for each other;
// side by side the lists of several tokens are kept sorted by comparisons and shifts that do not.
#include "kernels/cpu/vector/select.hpp"

namespace moesim::kernels::MOESIM_CODE {

inline constexpr std::int64_t lists = 8;  // places of a token that are kept sorted in registers

inline bool selects_together(const Selection& s, std::int64_t experts) {
    return s.top_k <= lists && experts <= most_experts_together && s.limit.groups <= most_groups_together;
}

inline token_floats load_lanes(const float* x) {
    token_floats v;
    __builtin_memcpy(&v, x, sizeof v);
    return v;
}
template <class Lanes>
void store_lanes(const Lanes& v, void* to) {
    __builtin_memcpy(to, &v, sizeof v);
}

// x is [number][token]. The `places` best of each token, best first: their values and numbers, no_expert where what
// is left cannot be chosen; [place][token].
template <int places>
void best_together(const float* x, std::int64_t count, float* values, std::int32_t* numbers) {
    token_floats held[places];
    token_ids id[places];
    for (int i = 0; i < places; ++i) {
        held[i] = token_floats{} + never;
        id[i] = token_ids{} + no_expert;
    }
    for (std::int64_t e = 0; e < count; ++e) {
        const token_floats value = load_lanes(x + e * tokens_at_once);
        const token_ids number = token_ids{} + static_cast<std::int32_t>(e);
        token_ids above[places];  // whose value is exceeded: all places from one on, which shift
        for (int i = 0; i < places; ++i) above[i] = value > held[i];
        for (int i = places - 1; i > 0; --i) {
            held[i] = above[i] ? (above[i - 1] ? held[i - 1] : value) : held[i];
            id[i] = above[i] ? (above[i - 1] ? id[i - 1] : number) : id[i];
        }
        held[0] = above[0] ? value : held[0];
        id[0] = above[0] ? number : id[0];
    }
    for (int i = 0; i < places; ++i) {
        store_lanes(held[i], values + i * tokens_at_once);
        store_lanes(id[i], numbers + i * tokens_at_once);
    }
}

// Takes all but the `keep` best of `parts` parts out of x [part * length + i][token]; ratings are [part][token].
inline void keep_best_together(const float* ratings, std::int64_t parts, std::int64_t keep, std::int64_t length,
                               float* x) {
    for (std::int64_t p = 0; p < parts; ++p) {
        const token_floats mine = load_lanes(ratings + p * tokens_at_once);
        token_ids better = {};  // how many, negative, as comparisons count
        for (std::int64_t q = 0; q < parts; ++q) {
            const token_floats other = load_lanes(ratings + q * tokens_at_once);
            better += q < p ? other >= mine : other > mine;
        }
        const token_ids kept = (better > token_ids{} - static_cast<std::int32_t>(keep)) & (mine > never);
        for (std::int64_t i = p * length; i < (p + 1) * length; ++i) {
            const token_floats value = load_lanes(x + i * tokens_at_once);
            store_lanes(kept ? value : token_floats{} + never, x + i * tokens_at_once);
        }
    }
}

// Steps 4 and 5 but for the choice of experts: x is [expert][token].
inline void limit_groups_together(const GroupLimit& limit, bool logits, std::int64_t experts, float* x) {
    const std::int64_t length = experts / limit.groups, per_tier = limit.groups / limit.tiers;
    alignas(64) float groups[most_groups_together * tokens_at_once], tiers[most_groups_together * tokens_at_once];
    for (std::int64_t g = 0; g < limit.groups; ++g) {
        token_floats first = token_floats{} + never, second = first;
        for (std::int64_t e = g * length; e < (g + 1) * length; ++e) {
            const token_floats value = load_lanes(x + e * tokens_at_once);
            const token_floats loser = first < value ? first : value;
            first = first < value ? value : first;
            second = second < loser ? loser : second;
        }
        float* const rating = groups + g * tokens_at_once;
        alignas(64) float r1[tokens_at_once], r2[tokens_at_once];
        store_lanes(first, r1);
        store_lanes(second, r2);
        for (std::int64_t l = 0; l < tokens_at_once; ++l)
            rating[l] = limit.score == GroupScore::max ? r1[l] : rating_of_two(r1[l], r2[l], logits);
    }
    if (limit.tiers > 1) {
        for (std::int64_t t = 0; t < limit.tiers; ++t) {
            token_floats most_of = token_floats{} + never;
            for (std::int64_t g = t * per_tier; g < (t + 1) * per_tier; ++g) {
                const token_floats value = load_lanes(groups + g * tokens_at_once);
                most_of = most_of < value ? value : most_of;
            }
            store_lanes(most_of, tiers + t * tokens_at_once);
        }
        keep_best_together(tiers, limit.tiers, limit.chosen_tiers, per_tier, groups);
    }
    keep_best_together(groups, limit.groups, limit.chosen_groups, length, x);
}

// Weights of softmax, normalised, where ratings are logits: values are those of the chosen, [place][token].
inline void weigh_together(std::int64_t k, const float* values, float* weights) {
    float sum[tokens_at_once] = {};
    for (std::int64_t i = 0; i < k; ++i)
        for (std::int64_t l = 0; l < tokens_at_once; ++l) {
            const float x = exact_exp(values[i * tokens_at_once + l] - values[l]);
            weights[i * tokens_at_once + l] = x;
            sum[l] += x;
        }
    for (std::int64_t i = 0; i < k; ++i)
        for (std::int64_t l = 0; l < tokens_at_once; ++l) {
            const float x = weights[i * tokens_at_once + l] / sum[l];
            weights[i * tokens_at_once + l] = values[i * tokens_at_once + l] == never ? 0.0F : x;
        }
}

// The tokens from `first` on.
inline void select_together(const Selection& selection, const Rows<const float>& table, std::int64_t first,
                            ExpertIndex* experts, float* weights, float* scratch) {
    const std::int64_t count = table.cols, size = padded(count), k = selection.top_k,
                       lanes_of_all = tokens_at_once * size;
    const bool plain = by_logit(selection);
    float *const logits = scratch, *const score = logits + lanes_of_all, *const ratings = score + lanes_of_all;
    float* const across = ratings + lanes_of_all;  // [expert][token]
    for (std::int64_t l = 0; l < tokens_at_once; ++l)
        rate(selection, table.row(first + l), count,
             {logits + l * size, score + l * size, (plain ? logits : ratings) + l * size});
    transpose(plain ? logits : ratings, size, size, across);
    if (selection.limit.groups > 1) limit_groups_together(selection.limit, plain, count, across);
    alignas(64) float values[lists * tokens_at_once], weight[lists * tokens_at_once];
    alignas(64) std::int32_t numbers[lists * tokens_at_once];
    (k == 1   ? best_together<1>
     : k == 2 ? best_together<2>
     : k <= 4 ? best_together<4>
     : k <= 6 ? best_together<6>
              : best_together<lists>)(across, count, values, numbers);
    for (std::int64_t l = 0; l < tokens_at_once; ++l)
        for (std::int64_t i = 0; i < k; ++i)
            experts[l * k + i] = static_cast<ExpertIndex>(numbers[i * tokens_at_once + l]);
    if (plain && selection.weights == WeightRule::normalised) {
        weigh_together(k, values, weight);
        for (std::int64_t l = 0; l < tokens_at_once; ++l)
            for (std::int64_t i = 0; i < k; ++i) weights[l * k + i] = weight[i * tokens_at_once + l];
        return;
    }
    for (std::int64_t l = 0; l < tokens_at_once; ++l) {
        std::int64_t chosen = 0;
        while (chosen < k && experts[l * k + chosen] != no_expert) ++chosen;
        weigh(selection, logits + l * size, score + l * size, chosen, experts + l * k, weights + l * k);
        for (std::int64_t i = chosen; i < k; ++i) weights[l * k + i] = 0;
    }
}

inline void select_one(const Selection& selection, const float* row, std::int64_t count, ExpertIndex* experts,
                       float* weights, float* scratch) {
    const std::int64_t size = padded(count), k = selection.top_k;
    const Rated rated{scratch, scratch + size, scratch + 2 * size};
    float* const rest = scratch + 3 * size;
    rate(selection, row, count, rated);
    if (selection.limit.groups > 1) limit_groups(selection.limit, by_logit(selection), count, rated.ratings, rest);
    std::int64_t chosen = 0;
    best(rated.ratings, size, k, rest, [&](std::int64_t i, std::int64_t e) {
        experts[i] = static_cast<ExpertIndex>(e);
        chosen = i + 1;
    });
    weigh(selection, rated.logits, rated.score, chosen, experts, weights);
    for (std::int64_t i = chosen; i < k; ++i) {
        experts[i] = no_expert;
        weights[i] = 0;
    }
}

inline void select(const Selection& selection, Rows<const float> table, ExpertIndex* experts, float* weights,
                   float* scratch) {
    const std::int64_t k = selection.top_k;
    std::int64_t t = 0;
    if (selects_together(selection, table.cols))
        for (; t + tokens_at_once <= table.rows; t += tokens_at_once)
            select_together(selection, table, t, experts + t * k, weights + t * k, scratch);
    for (; t < table.rows; ++t)
        select_one(selection, table.row(t), table.cols, experts + t * k, weights + t * k, scratch);
}

}  // namespace moesim::kernels::MOESIM_CODE
