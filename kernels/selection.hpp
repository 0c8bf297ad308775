#pragma once
// How a token's experts are chosen from its logits. All policies of the simulator that look at one token at a time are
// values of Selection (in sim/workload: topk_policy.hpp, group_policy.hpp, bias_balanced_policy.hpp):
//
//   softmax_topk   {score softmax,  k,     weights normalised}
//   hard_topk      {score softmax,  k,     weights equal}
//   top1           {score softmax,  k = 1, weights probability}  (Switch, Fedus et al. 2022; normalised: 1)
//   bias_balanced  {score sigmoid,  k,     weights normalised, bias}  (DeepSeek-V3, arXiv:2412.19437)
//   group_limited  {..., groups, chosen_groups}              (DeepSeek-V2 and -V3)
//   hierarchical   {..., tiers, chosen_tiers, groups, chosen_groups}
//
// Every backend gives the same experts, bit for bit, because every step of their choice is exact (comparisons) or
// rounded in a fixed order with the functions of exact_math.hpp. With l the logits of a token:
//
// 1. A logit that is NaN or -inf is of an expert that cannot be chosen; one that is +inf counts as the largest float.
// 2. The score of an expert. Sigmoid: s = 1 / (1 + exp(-l)). Softmax: s = exp(l - max) / S, where S is the sum of
//    exp(l - max) over all experts in this order: partial sum j (0..31) adds up experts j, j + 32, ... in ascending
//    order, starting from +0, then sum j takes in sum j + 16 for j < 16, sum j + 8 for j < 8, and so on. (In a warp:
//    each lane its experts, then a butterfly; what cannot be chosen adds 0.)
// 3. The rating of an expert, which is all that the choice looks at. Softmax without bias: its logit, which ranks
//    experts as its score does, but tells apart what a score rounds to the same. Otherwise: score + bias (without bias:
//    score). A rating that is NaN or -inf cannot be chosen; one that is +inf counts as the largest float.
// 4. The rating of a group: the best rating in it (GroupScore::max); or, where two can be chosen, of the two best
//    ratings r1 >= r2 (top2_sum) r1 + r2, with ratings that are logits r1 + log(1 + exp(r2 - r1)), the logarithm of the
//    same; a sum beyond the largest float counts as that. Where only one can be chosen, r1. The rating of a tier is
//    that of its best group.
// 5. The best `chosen_tiers` tiers stay, in them the best `chosen_groups` groups, in them the best k experts. Of equal
//    ratings the lower id goes first, everywhere (+0 and -0 are equal). Groups without an expert that can be chosen are
//    never taken.
// 6. Places that are left hold no_expert and weight 0. Weights of the others, all sums in the order of the places:
//    equal:       1 / (number chosen)
//    probability: the score of step 2
//    normalised:  softmax: exp(l_i - m) / (sum of exp(l_j - m)), i and j chosen, m the largest chosen logit;
//                 sigmoid: s_i / (sum of s_j + 1e-20)
//    Bias never enters a weight.
#include <cstdint>

#include "base/ids.hpp"
#include "kernels/view.hpp"

namespace moesim::kernels {

enum class Score : unsigned char { softmax, sigmoid };
enum class WeightRule : unsigned char { normalised, probability, equal };
// How a group of experts is rated.
enum class GroupScore : unsigned char { max, top2_sum };

// Tiers hold groups, groups hold experts; runs of equal length: tiers divide groups, groups divide experts.
struct GroupLimit {
    std::int64_t tiers = 1, chosen_tiers = 1;
    std::int64_t groups = 1, chosen_groups = 1;  // of all tiers together
    GroupScore score = GroupScore::top2_sum;
};

struct Selection {
    Score score = Score::softmax;
    std::int64_t top_k = 1;
    WeightRule weights = WeightRule::normalised;
    ArrayView<const float> bias;  // [expert], or of nothing
    GroupLimit limit;
};

// Without a gate: place i of the token at position p of the whole batch gets expert (offset + p k + i) mod experts, so
// that loads are even (after Roller et al., NeurIPS 2021); weights are 1/k. As the simulator's `hash`.
struct HashSelection {
    std::int64_t experts = 1, top_k = 1;
    std::int64_t first_position = 0;  // of the batch's first token
    std::int64_t offset = 0;          // one a layer
};

// Who goes where: [token][width], row-major without gaps. An id that is not below the number of experts, such as
// no_expert, is a place without an expert; every operation skips it.
template <class Expert, class Weight>
struct BasicRoutingView {
    std::int64_t tokens = 0, width = 0;
    ArrayView<Expert> experts;  // [token][width], best first
    ArrayView<Weight> weights;  // [token][width]

    BasicRoutingView() = default;
    BasicRoutingView(std::int64_t t, std::int64_t w, ArrayView<Expert> e, ArrayView<Weight> g)
        : tokens(t), width(w), experts(e), weights(g) {}
    template <class E, class W>
    requires(std::is_same_v<const E, Expert>&& std::is_same_v<const W, Weight>)
        BasicRoutingView(BasicRoutingView<E, W> o)  // NOLINT(google-explicit-constructor)
        : BasicRoutingView(o.tokens, o.width, o.experts, o.weights) {}
    [[nodiscard]] std::int64_t choices() const { return tokens * width; }
};
using RoutingView = BasicRoutingView<ExpertIndex, float>;
using ConstRoutingView = BasicRoutingView<const ExpertIndex, const float>;

}  // namespace moesim::kernels
