#pragma once
// The steps of selection.hpp, a token at a time. Arrays of experts are padded to a multiple of 32 with what cannot be
// chosen.
#include <limits>

#include "kernels/cpu/vector/lanes.hpp"
#include "kernels/cpu/vector/table.hpp"

namespace moesim::kernels::MOESIM_CODE {

inline constexpr float never = -std::numeric_limits<float>::infinity(), most = std::numeric_limits<float>::max();

inline float usable(float x) {
    const float not_above = x < most ? x : most;
    return x >= -most ? not_above : never;  // NOLINT(bugprone-narrowing-conversions): from float to float
}

inline void load_logits(const float* logits, std::int64_t experts, float* to) {
    for (std::int64_t e = 0; e < experts; ++e) to[e] = usable(logits[e]);
    for (std::int64_t e = experts; e < padded(experts); ++e) to[e] = never;
}

inline float largest(const float* x, std::int64_t size) {  // size: a multiple of 32
    float best[lanes];
    for (std::int64_t j = 0; j < lanes; ++j) best[j] = x[j];
    for (std::int64_t i = lanes; i < size; i += lanes)
        for (std::int64_t j = 0; j < lanes; ++j) best[j] = best[j] < x[i + j] ? x[i + j] : best[j];
    return largest_of_16(best);
}

// x becomes exp(x - above); returns their sum in the order of step 2.
inline float exponentials(float above, std::int64_t size, float* x) {
    float sum[32] = {};
    for (std::int64_t i = 0; i < size; i += 32)
        for (std::int64_t j = 0; j < 32; ++j) {
            x[i + j] = exact_exp(x[i + j] - above);
            sum[j] += x[i + j];
        }
    for (std::int64_t j = 0; j < 16; ++j) sum[j] += sum[j + 16];
    for (std::int64_t j = 0; j < 8; ++j) sum[j] += sum[j + 8];
    for (std::int64_t j = 0; j < 4; ++j) sum[j] += sum[j + 4];
    for (std::int64_t j = 0; j < 2; ++j) sum[j] += sum[j + 2];
    return sum[0] + sum[1];
}

// Of usable logits; those of never become 0.
inline void score_of(Score score, const float* logits, std::int64_t size, float* to) {
    if (score == Score::sigmoid) {
        for (std::int64_t e = 0; e < size; ++e) {
            const float s = 1.0F / (1.0F + exact_exp(-logits[e]));
            to[e] = logits[e] == never ? 0.0F : s;
        }
        return;
    }
    const float above = largest(logits, size);
    for (std::int64_t e = 0; e < size; ++e) to[e] = logits[e];
    if (above == never) {
        for (std::int64_t e = 0; e < size; ++e) to[e] = 0;
        return;
    }
    const float sum = exponentials(above, size, to);
    for (std::int64_t e = 0; e < size; ++e) to[e] /= sum;
}

inline void scores(Score score, const float* logits, std::int64_t experts, float* to, float* scratch) {
    float* const whole = scratch + padded(experts);
    load_logits(logits, experts, scratch);
    score_of(score, scratch, padded(experts), whole);
    for (std::int64_t e = 0; e < experts; ++e) to[e] = whole[e];
}

// Calls use(i, index) for the k largest of x, largest first, of equal ones the lower index first; ends early where
// only what cannot be chosen is left. Takes them out of x. `maxima` has room for a number for each 16 of x, padded
// as x is.
template <class Use>
void best(float* x, std::int64_t size, std::int64_t k, float* maxima, Use use) {
    const std::int64_t blocks = size / lanes;
    for (std::int64_t b = 0; b < blocks; ++b) maxima[b] = largest_of_16(x + b * lanes);
    for (std::int64_t b = blocks; b < (blocks + lanes - 1) / lanes * lanes; ++b) maxima[b] = never;
    for (std::int64_t i = 0; i < k; ++i) {
        float top = largest_of_16(maxima);
        for (std::int64_t b = lanes; b < blocks; b += lanes) {
            const float here = largest_of_16(maxima + b);
            top = top < here ? here : top;
        }
        if (top == never) return;
        std::int64_t block = 0;
        unsigned equal = 0;
        for (; (equal = equal_of_16(maxima + block, top)) == 0; block += lanes) {
        }
        block += __builtin_ctz(equal);
        float* const within = x + block * lanes;
        const std::int64_t lane = __builtin_ctz(equal_of_16(within, top));
        use(i, block * lanes + lane);
        within[lane] = never;
        maxima[block] = largest_of_16(within);
    }
}

inline float rating_of_two(float r1, float r2, bool logits) {
    const float both = logits ? r1 + exact_log(1.0F + exact_exp(r2 - r1)) : r1 + r2;
    const float finite = both > most ? most : both < -most ? -most : both;
    return r2 == never ? r1 : finite;
}

inline float group_rating(const float* ratings, std::int64_t length, bool logits, GroupScore score) {
    float first[lanes], second[lanes];
    for (std::int64_t j = 0; j < lanes; ++j) first[j] = second[j] = never;
    std::int64_t i = 0;
    for (; i + lanes <= length; i += lanes)
        for (std::int64_t j = 0; j < lanes; ++j) {
            const float x = ratings[i + j], loser = first[j] < x ? first[j] : x;
            first[j] = first[j] < x ? x : first[j];
            second[j] = second[j] < loser ? loser : second[j];
        }
    float r1 = never, r2 = never;
    const auto take = [&](float x) {
        const float loser = r1 < x ? r1 : x;
        r1 = r1 < x ? x : r1;
        r2 = r2 < loser ? loser : r2;
    };
    for (; i < length; ++i) take(ratings[i]);
    if (length >= lanes)
        for (std::int64_t j = 0; j < lanes; ++j) {
            take(first[j]);
            take(second[j]);
        }
    return score == GroupScore::max ? r1 : rating_of_two(r1, r2, logits);
}

// Takes all but the `keep` best of `count` parts of x out; ratings are destroyed. Scratch: two times padded(count).
inline void keep_best(float* ratings, std::int64_t count, std::int64_t keep, std::int64_t length, float* x,
                      float* scratch) {
    float *const kept = scratch, *const maxima = scratch + padded(count);
    for (std::int64_t p = 0; p < padded(count); ++p) kept[p] = 0;
    best(ratings, padded(count), keep, maxima, [&](std::int64_t, std::int64_t p) { kept[p] = 1; });
    for (std::int64_t p = 0; p < count; ++p)
        if (kept[p] == 0)
            for (std::int64_t i = 0; i < length; ++i) x[p * length + i] = never;
}

inline void limit_groups(const GroupLimit& limit, bool logits, std::int64_t experts, float* ratings, float* scratch) {
    const std::int64_t length = experts / limit.groups, per_tier = limit.groups / limit.tiers;
    float *const groups = scratch, *const tiers = scratch + padded(limit.groups);
    float* const rest = tiers + padded(limit.tiers);
    for (std::int64_t g = 0; g < padded(limit.groups); ++g)
        groups[g] = g < limit.groups ? group_rating(ratings + g * length, length, logits, limit.score) : never;
    if (limit.tiers > 1) {
        for (std::int64_t t = 0; t < padded(limit.tiers); ++t) {
            tiers[t] = never;
            for (std::int64_t g = t * per_tier; t < limit.tiers && g < (t + 1) * per_tier; ++g)
                tiers[t] = tiers[t] < groups[g] ? groups[g] : tiers[t];
        }
        keep_best(tiers, limit.tiers, limit.chosen_tiers, per_tier, groups, rest);
    }
    keep_best(groups, limit.groups, limit.chosen_groups, length, ratings, rest);
}

inline void weigh(const Selection& selection, const float* logits, const float* score, std::int64_t count,
                  const ExpertIndex* chosen, float* weights) {
    if (selection.weights == WeightRule::equal) {
        for (std::int64_t i = 0; i < count; ++i) weights[i] = 1.0F / static_cast<float>(count);
        return;
    }
    if (selection.weights == WeightRule::probability || selection.score == Score::sigmoid) {
        for (std::int64_t i = 0; i < count; ++i) weights[i] = score[chosen[i]];
        if (selection.weights == WeightRule::probability) return;
        float sum = 0;
        for (std::int64_t i = 0; i < count; ++i) sum += weights[i];
        sum += 1e-20F;
        for (std::int64_t i = 0; i < count; ++i) weights[i] /= sum;
        return;
    }
    float above = never, sum = 0;
    for (std::int64_t i = 0; i < count; ++i) above = above < logits[chosen[i]] ? logits[chosen[i]] : above;
    for (std::int64_t i = 0; i < count; ++i) weights[i] = exact_exp(logits[chosen[i]] - above);
    for (std::int64_t i = 0; i < count; ++i) sum += weights[i];
    for (std::int64_t i = 0; i < count; ++i) weights[i] /= sum;
}

// Steps 1 to 3 for one token: logits, score where it is needed, and ratings, which may be the logits themselves.
struct Rated {
    float *logits, *score, *ratings;
};
inline bool by_logit(const Selection& s) { return s.score == Score::softmax && s.bias.empty(); }
inline void rate(const Selection& selection, const float* row, std::int64_t count, const Rated& to) {
    const std::int64_t size = padded(count);
    load_logits(row, count, to.logits);
    if (!by_logit(selection) || selection.weights == WeightRule::probability)
        score_of(selection.score, to.logits, size, to.score);
    if (to.ratings == to.logits) return;
    const float* const rated = by_logit(selection) ? to.logits : to.score;
    for (std::int64_t e = 0; e < size; ++e)
        // NOLINTNEXTLINE(bugprone-narrowing-conversions): from float to float
        to.ratings[e] = to.logits[e] == never ? never : rated[e];
    if (!selection.bias.empty())
        for (std::int64_t e = 0; e < count; ++e) to.ratings[e] = usable(to.ratings[e] + selection.bias.data[e]);
}

}  // namespace moesim::kernels::MOESIM_CODE
