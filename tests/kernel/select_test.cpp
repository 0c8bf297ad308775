// Experts chosen by tokens: against a naive reading of kernels/selection.hpp, which has to give the same bits, and
// against softmax and sigmoid in double precision.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.hpp"
#include "kernel/devices.hpp"
#include "kernel/selection_cases.hpp"
#include "kernels/exact_math.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

constexpr float never = -std::numeric_limits<float>::infinity(), most = std::numeric_limits<float>::max();

float usable(float x) {
    if (std::isnan(x) || x == never) return never;
    return std::min(x, most);
}

// Numbers from the largest to the smallest, of equal ones the first first; without those that cannot be chosen.
std::vector<std::size_t> ranked(const std::vector<float>& ratings) {
    std::vector<std::size_t> order(ratings.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return ratings[a] > ratings[b]; });
    while (!order.empty() && ratings[order.back()] == never) order.pop_back();
    return order;
}

std::vector<float> scores_of(Score score, const std::vector<float>& l) {
    std::vector<float> s(l.size());
    const float above = *std::max_element(l.begin(), l.end());
    std::vector<float> partial(32);
    for (std::size_t e = 0; e < l.size(); ++e) {
        if (l[e] == never) continue;
        s[e] =
            score == Score::sigmoid ? exact_div(1, exact_add(1, exact_exp(-l[e]))) : exact_exp(exact_sub(l[e], above));
        partial[e % 32] = exact_add(partial[e % 32], s[e]);
    }
    if (score == Score::sigmoid || above == never) return s;
    for (std::size_t half = 16; half > 0; half /= 2)
        for (std::size_t j = 0; j < half; ++j) partial[j] = exact_add(partial[j], partial[j + half]);
    for (float& x : s) x = exact_div(x, partial[0]);
    return s;
}

float rating_of_group(std::vector<float> ratings, bool logits, GroupScore score) {
    std::sort(ratings.begin(), ratings.end(), std::greater<>());
    if (score == GroupScore::max || ratings.size() < 2 || ratings[1] == never) return ratings[0];
    const float both =
        logits ? exact_add(ratings[0], exact_log(exact_add(1, exact_exp(exact_sub(ratings[1], ratings[0])))))
               : exact_add(ratings[0], ratings[1]);
    return std::clamp(both, -most, most);
}

std::vector<float> kept(std::vector<float> ratings, const std::vector<float>& parts, std::int64_t keep) {
    auto best = ranked(parts);
    best.resize(std::min(best.size(), static_cast<std::size_t>(keep)));
    std::vector<char> stays(parts.size());
    for (const std::size_t p : best) stays[p] = 1;
    const std::size_t length = ratings.size() / parts.size();
    for (std::size_t e = 0; e < ratings.size(); ++e)
        if (stays[e / length] == 0) ratings[e] = never;
    return ratings;
}

void choose(const Selection& s, const std::vector<float>& bias, std::vector<float> l, ExpertIndex* experts,
            float* weights) {
    for (float& x : l) x = usable(x);
    const std::vector<float> score = scores_of(s.score, l);
    const bool by_logit = s.score == Score::softmax && bias.empty();
    std::vector<float> ratings = l;
    if (!by_logit)
        for (std::size_t e = 0; e < l.size(); ++e)
            if (l[e] != never) ratings[e] = bias.empty() ? score[e] : usable(exact_add(score[e], bias[e]));
    if (s.limit.groups > 1) {
        std::vector<float> groups;
        const auto length = static_cast<std::ptrdiff_t>(l.size()) / s.limit.groups;
        for (auto begin = ratings.begin(); begin != ratings.end(); begin += length)
            groups.push_back(rating_of_group({begin, begin + length}, by_logit, s.limit.score));
        if (s.limit.tiers > 1) {
            std::vector<float> tiers;
            const auto per_tier = s.limit.groups / s.limit.tiers;
            for (auto begin = groups.begin(); begin != groups.end(); begin += per_tier)
                tiers.push_back(*std::max_element(begin, begin + per_tier));
            groups = kept(groups, tiers, s.limit.chosen_tiers);
        }
        ratings = kept(ratings, groups, s.limit.chosen_groups);
    }
    auto chosen = ranked(ratings);
    chosen.resize(std::min(chosen.size(), static_cast<std::size_t>(s.top_k)));
    std::vector<float> w;
    float above = never, sum = 0;
    for (const std::size_t e : chosen) above = std::max(above, l[e]);
    for (const std::size_t e : chosen) {
        const bool relative = s.weights == WeightRule::normalised && s.score == Score::softmax;
        w.push_back(relative ? exact_exp(exact_sub(l[e], above)) : score[e]);
        sum = exact_add(sum, w.back());
    }
    if (s.score == Score::sigmoid) sum = exact_add(sum, 1e-20F);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        experts[i] = static_cast<ExpertIndex>(chosen[i]);
        weights[i] = s.weights == WeightRule::equal         ? 1.0F / static_cast<float>(chosen.size())
                     : s.weights == WeightRule::probability ? w[i]
                                                            : exact_div(w[i], sum);
    }
}

HostRouting choose_all(const Selection& s, const std::vector<float>& bias, const std::vector<float>& logits,
                       std::int64_t tokens) {
    HostRouting r(tokens, s.top_k);
    const auto experts = tokens == 0 ? 0 : static_cast<std::ptrdiff_t>(logits.size()) / tokens;
    for (std::int64_t t = 0; t < tokens; ++t)
        choose(s, bias, {logits.begin() + t * experts, logits.begin() + (t + 1) * experts},
               r.experts.data() + t * s.top_k, r.weights.data() + t * s.top_k);
    return r;
}

HostRouting select_on(const Device& device, Selection s, const std::vector<float>& bias,
                      const std::vector<float>& logits, std::int64_t tokens, std::int64_t experts) {
    const Matrix table = device.matrix(Scalar::fp32, tokens, experts, logits);
    const Array<float> biases = device.array(bias);
    s.bias = biases.view();
    DeviceRouting out(device, tokens, s.top_k);
    device.operations().select(*device.stream, s, table.view(), out.view());
    return {device, out};
}

}  // namespace

TEST_CASE("selection has the bits of its definition: all rules, odd shapes, ties, no numbers and infinities") {
    for (const auto& c : selection_cases()) {
        const auto expected = choose_all(c.selection, c.bias, c.logits, c.tokens);
        for (const auto& device : devices()) {
            INFO(device.name << ": " << c.text());
            const auto found = select_on(device, c.selection, c.bias, c.logits, c.tokens, c.experts);
            REQUIRE(found.experts == expected.experts);
            REQUIRE(same_bits(found.weights, expected.weights));
        }
    }
}

TEST_CASE("a bias may begin at any element") {
    constexpr std::int64_t tokens = 3;
    for (const std::int64_t experts : {11, 64, 700}) {
        const auto logits = normal_numbers(21, tokens * experts), bias = normal_numbers(22, experts);
        std::vector<float> behind_one(1);
        behind_one.insert(behind_one.end(), bias.begin(), bias.end());
        Selection s;
        s.score = Score::sigmoid;
        s.top_k = 5;
        const auto expected = choose_all(s, bias, logits, tokens);
        for (const auto& device : devices()) {
            INFO(device.name << ": " << experts << " experts");
            const Matrix table = device.matrix(Scalar::fp32, tokens, experts, logits);
            const Array<float> biases = device.array(behind_one);
            s.bias = biases.view().part(1, experts);
            DeviceRouting out(device, tokens, s.top_k);
            device.operations().select(*device.stream, s, table.view(), out.view());
            const HostRouting found(device, out);
            REQUIRE(found.experts == expected.experts);
            REQUIRE(same_bits(found.weights, expected.weights));
        }
    }
}

TEST_CASE("selection against double precision: weights within 1e-6, and nothing better is left out") {
    for (const auto& device : devices())
        for (const auto& c : selection_cases()) {
            if (c.special || c.selection.limit.groups > 1) continue;
            INFO(device.name << ": " << c.text());
            const auto found = select_on(device, c.selection, c.bias, c.logits, c.tokens, c.experts);
            const auto experts = static_cast<std::size_t>(c.experts);
            const auto k = static_cast<std::size_t>(c.selection.top_k);
            for (std::size_t t = 0; t < static_cast<std::size_t>(c.tokens); ++t) {
                std::vector<double> score(experts);
                double all = 0, chosen = 0;
                for (std::size_t e = 0; e < experts; ++e) {
                    const double l = c.logits[t * experts + e];
                    score[e] = c.selection.score == Score::softmax ? std::exp(l) : 1 / (1 + std::exp(-l));
                    all += score[e];
                }
                if (c.selection.score == Score::softmax)
                    for (double& s : score) s /= all;
                const auto rating = [&](std::size_t e) { return score[e] + (c.bias.empty() ? 0 : c.bias[e]); };
                std::vector<bool> taken(experts);
                double last = std::numeric_limits<double>::infinity();
                for (std::size_t i = 0; i < k; ++i) {
                    const std::size_t e = found.experts[t * k + i];
                    REQUIRE((e < experts && !taken[e]));
                    taken[e] = true;
                    chosen += score[e];
                    REQUIRE(rating(e) <= last + 1e-6);
                    last = rating(e);
                }
                for (std::size_t e = 0; e < experts; ++e)
                    if (!taken[e]) REQUIRE(rating(e) <= last + 1e-6);
                for (std::size_t i = 0; i < k; ++i) {
                    const double s = score[found.experts[t * k + i]];
                    const double weight = c.selection.weights == WeightRule::equal ? 1.0 / static_cast<double>(k)
                                          : c.selection.weights == WeightRule::probability ? s
                                                                                           : s / chosen;
                    REQUIRE(std::abs(found.weights[t * k + i] - weight) <= 1e-6 * weight + 1e-12);
                }
            }
        }
}

TEST_CASE("hash selection is even and by position, wherever its arrays begin") {
    struct Case {
        std::int64_t tokens, experts, k, first, offset;
    };
    for (const auto& device : devices())
        for (const Case& c : {Case{10, 5, 2, 0, 0},
                              {10, 5, 5, 7, 3},
                              {10, 64, 3, 1'000'000'000'000, 11},
                              {10, 1, 1, 3, 9},
                              {0, 4, 2, 5, 1},
                              {1, 3, 1, 2, 2},
                              {700, 65'535, 3, 65'000, 0}})
            for (const std::int64_t shift : {0, 1}) {
                INFO(device.name << ": " << c.tokens << " tokens, " << c.k << " of " << c.experts << ", from element "
                                 << shift);
                const std::int64_t choices = c.tokens * c.k;
                const auto size = static_cast<std::size_t>(choices) + 1;
                auto experts = device.array(std::vector<ExpertIndex>(size, 7));
                auto weights = device.array(std::vector<float>(size, 7));
                device.operations().select_by_hash(
                    *device.stream, {c.experts, c.k, c.first, c.offset},
                    {c.tokens, c.k, experts.view().part(shift, choices), weights.view().part(shift, choices)});
                const auto found = device.host(experts);
                const auto weight = device.host(weights);
                for (std::int64_t i = 0; i < choices; ++i) {
                    REQUIRE(found[static_cast<std::size_t>(shift + i)] == (c.offset + c.first * c.k + i) % c.experts);
                    REQUIRE(weight[static_cast<std::size_t>(shift + i)] == 1.0F / static_cast<float>(c.k));
                }
                // Nothing is written beside them.
                const auto beside = static_cast<std::size_t>(shift == 0 ? choices : 0);
                REQUIRE(found[beside] == 7);
                REQUIRE(weight[beside] == 7);
            }
}
