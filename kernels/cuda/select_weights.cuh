#pragma once
// Step 6 of kernels/selection.hpp: the weights of what was chosen.
#include "kernels/cuda/select_team.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

// values [place] holds the ratings of the first `count` places at first, and their weights in the end; chosen [place],
// row: the token's logits. What the team has written before is to be seen by all of it; each place's weight is then
// seen by the thread that has this place's number, modulo the team's size.
template <class Team>
__device__ void weigh(const Team& team, const ScoreRules& rules, const Normaliser& n, const float* row, int count,
                      const ExpertIndex* chosen, float* values) {
    const bool relative = rules.score == Score::softmax && rules.weights == WeightRule::normalised;
    float above = never;
    for (int i = team.rank; i < count; i += team.size) {
        // A rating is the logit, or the score; with a bias in it, it is of no use here.
        const float basis = rules.bias == nullptr ? values[i] : usable(row[chosen[i]]);
        if (rules.weights == WeightRule::equal) {
            values[i] = exact_div(1.0F, static_cast<float>(count));
        } else if (relative) {
            values[i] = basis;
            above = fmaxf(above, basis);
        } else if (rules.by_logit() || rules.bias != nullptr) {
            values[i] = score_of(rules.score, basis, n);
        }
    }
    if (rules.weights != WeightRule::normalised) return;
    if (relative) {
        above = team.largest(above);
        for (int i = team.rank; i < count; i += team.size) values[i] = exponential(values[i], above);
    }
    team.sync();
    float sum = 0;
    for (int i = 0; i < count; ++i) sum = exact_add(sum, values[i]);
    if (rules.score == Score::sigmoid) sum = exact_add(sum, 1e-20F);
    team.sync();
    for (int i = team.rank; i < count; i += team.size) values[i] = exact_div(values[i], sum);
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
