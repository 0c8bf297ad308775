#include "kernel/selection_cases.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/random.hpp"
#include "kernel/devices.hpp"

namespace moesim::test {
namespace {

using namespace kernels;

std::int64_t below(RandomStream& random, std::int64_t n) { return random.below(static_cast<std::uint32_t>(n)); }

// Ties: few different values, both zeros among them. Otherwise what is not a number, and what is infinite.
float special_logit(RandomStream& random, bool ties) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    if (ties) return static_cast<float>(below(random, 3) - 1) * (below(random, 2) == 0 ? 1.0F : -1.0F);
    switch (below(random, 6)) {
        case 0: return std::numeric_limits<float>::quiet_NaN();
        case 1: return infinity;
        case 2: return -infinity;
        case 3: return -std::numeric_limits<float>::max();
        default: return static_cast<float>(random.normal()) * 50;
    }
}

SelectionCase make_case(std::uint64_t number, std::int64_t tokens, std::int64_t experts, std::int64_t k) {
    RandomStream random(stream_key(number, 97), 0);
    SelectionCase c;
    c.tokens = tokens;
    c.experts = experts;
    c.selection.top_k = k;
    c.selection.score = static_cast<Score>(number % 2);
    c.selection.weights = static_cast<WeightRule>(number / 2 % 3);
    c.selection.limit.score = static_cast<GroupScore>(number / 6 % 2);
    const bool biased = number / 12 % 2 == 1, grouped = number / 24 % 2 == 1;
    c.special = number / 48 % 2 == 1;
    c.logits = normal_numbers(number, tokens * experts);
    if (c.special)
        for (float& l : c.logits)
            if (const bool ties = number / 96 % 2 == 1; ties || below(random, 2) == 0) l = special_logit(random, ties);
    if (biased) c.bias = normal_numbers(number + 1'000'000, experts);
    if (biased && c.special) c.bias[0] = special_logit(random, false);
    if (grouped) {
        std::vector<std::int64_t> divisors;
        for (std::int64_t d = 1; d <= experts; ++d)
            if (experts % d == 0) divisors.push_back(d);
        GroupLimit& limit = c.selection.limit;
        limit.groups = divisors[static_cast<std::size_t>(below(random, static_cast<std::int64_t>(divisors.size())))];
        for (limit.tiers = 1 + below(random, limit.groups); limit.groups % limit.tiers != 0; --limit.tiers) {
        }
        limit.chosen_tiers = 1 + below(random, limit.tiers);
        limit.chosen_groups = 1 + below(random, limit.groups);
    }
    return c;
}

}  // namespace

std::string SelectionCase::text() const {
    const GroupLimit& g = selection.limit;
    return fmt::format("{} tokens, top-{} of {}, score {}, weights {}{}{}, {} of {} tiers, {} of {} groups, rating {}",
                       tokens, selection.top_k, experts, static_cast<int>(selection.score),
                       static_cast<int>(selection.weights), bias.empty() ? "" : ", bias", special ? ", special" : "",
                       g.chosen_tiers, g.tiers, g.chosen_groups, g.groups, static_cast<int>(g.score));
}

std::vector<SelectionCase> selection_cases() {
    std::vector<SelectionCase> cases;
    constexpr int all_rules = 192;
    struct Shape {
        std::int64_t tokens, experts, k;
        int every;  // so many rules are passed over; coprime to their number, so that all kinds are there
    };
    // Many experts are more than a block of a GPU has threads; the most that there can be are 65,535.
    std::uint64_t number = 0;
    for (const Shape& s : {Shape{0, 8, 2, 1},
                           {1, 1, 1, 1},
                           {1, 8, 8, 1},
                           {3, 16, 1, 1},
                           {2, 33, 33, 1},
                           {5, 60, 4, 1},
                           {7, 64, 8, 1},
                           {2, 256, 8, 1},
                           {150, 8, 2, 19},
                           {70, 13, 4, 19},
                           {2, 387, 10, 5},
                           {1, 512, 512, 11},
                           {0, 1'100, 5, 23},
                           {1, 513, 513, 11},
                           {1, 1'500, 9, 5},
                           {1, 1'030, 1'030, 7},
                           {30, 600, 3, 23},
                           {1, 9'000, 4, 19},
                           {1, 65'535, 8, 61}}) {
        for (int rules = 0; rules < all_rules; rules += s.every)
            cases.push_back(make_case(number + static_cast<std::uint64_t>(rules), s.tokens, s.experts, s.k));
        number += all_rules;
    }
    for (int i = 0; i < 200; ++i) {
        RandomStream random(stream_key(number, 96), 0);
        const std::int64_t experts = 1 + below(random, 200);
        cases.push_back(make_case(number++, below(random, 8), experts, 1 + below(random, experts)));
    }
    return cases;
}

}  // namespace moesim::test
