#pragma once
// Steps 4 and 5 of kernels/selection.hpp but for the choice of experts: of a token's ratings those stay that are in the
// best groups of the best tiers.
#include "kernels/cuda/choose_threshold.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

// GroupLimit, checked.
struct GroupRules {
    int tiers, chosen_tiers, groups, chosen_groups;
    bool top2;
    // Numbers of memory beside the ratings: ratings of groups and of tiers, and a byte for each group.
    [[nodiscard]] MOESIM_HOST_DEVICE int floats() const { return groups > 1 ? groups + tiers + (groups + 3) / 4 : 0; }
};

// kept[i] becomes whether x[i] is among the `keep` best; what cannot be chosen never is. In a tile's way each number is
// counted against all others: there are few.
template <int lanes>
__device__ inline void mark_best(const Tile<lanes>& team, const float* x, int count, int keep, unsigned char* kept) {
    for (int i = team.rank; i < count; i += lanes) {
        int better = 0;
        for (int j = 0; j < count; ++j) better += x[j] > x[i] || (x[j] == x[i] && j < i) ? 1 : 0;
        kept[i] = x[i] > never && better < keep ? 1 : 0;
    }
    team.sync();
}
__device__ inline void mark_best(const Block& team, const float* x, int count, int keep, unsigned char* kept) {
    const Threshold threshold = threshold_of(team, x, static_cast<unsigned>(count), static_cast<unsigned>(keep));
    for (int i = team.rank; i < count; i += team.size) kept[i] = threshold.met(x[i], i, never) ? 1 : 0;
    team.sync();
}

// ratings [expert]; memory: rules.floats(). What the team has written before is to be seen by all of it; what is
// written here is, at the end.
template <class Team>
__device__ void limit_groups(const Team& team, const GroupRules& rules, bool by_logit, int experts, float* ratings,
                             float* memory) {
    const int length = experts / rules.groups, per_tier = rules.groups / rules.tiers;
    float *const groups = memory, *const tiers = groups + rules.groups;
    auto* const kept = reinterpret_cast<unsigned char*>(tiers + rules.tiers);
    for (int g = team.rank; g < rules.groups; g += team.size) {
        // Each begins somewhere else: groups are often 32 long, and one bank of memory would have to serve all.
        int i = team.rank % length;
        float r1 = never, r2 = never;
        for (int n = 0; n < length; ++n) {
            const float x = ratings[g * length + i];
            r2 = fmaxf(r2, fminf(r1, x));
            r1 = fmaxf(r1, x);
            i = i + 1 == length ? 0 : i + 1;
        }
        groups[g] = rules.top2 ? rating_of_two(r1, r2, by_logit) : r1;
    }
    team.sync();
    if (rules.tiers > 1) {
        for (int t = team.rank; t < rules.tiers; t += team.size) {
            float best = never;
            for (int g = t * per_tier; g < (t + 1) * per_tier; ++g) best = fmaxf(best, groups[g]);
            tiers[t] = best;
        }
        team.sync();
        mark_best(team, tiers, rules.tiers, rules.chosen_tiers, kept);
        for (int g = team.rank; g < rules.groups; g += team.size)
            if (kept[g / per_tier] == 0) groups[g] = never;
        team.sync();
    }
    mark_best(team, groups, rules.groups, rules.chosen_groups, kept);
    for (int e = team.rank; e < experts; e += team.size)
        if (kept[e / length] == 0) ratings[e] = never;
    team.sync();
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
