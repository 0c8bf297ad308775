#include "workload/group_policy.hpp"

#include <algorithm>
#include <limits>

#include "base/float_math.hpp"
#include "workload/softmax.hpp"
#include "workload/topk.hpp"

namespace moesim {
namespace {

constexpr float never = -std::numeric_limits<float>::infinity();

// Of each group: its best logit, or the logarithm of its two best probabilities' sum, but for a constant. Minus
// infinity where nothing is left.
std::vector<float> group_scores(std::span<const float> logits, std::size_t groups, GroupScore kind) {
    const std::size_t length = logits.size() / groups;
    std::vector<float> best(groups), second(groups);
    for (std::size_t g = 0; g < groups; ++g) {
        float first = never, next = never;
        for (const float l : logits.subspan(g * length, length)) {
            next = std::max(next, std::min(first, l));
            first = std::max(first, l);
        }
        best[g] = first;
        second[g] = next;
    }
    if (kind == GroupScore::max) return best;
    // The logarithm of the sum, so that a group far below the best one keeps its place.
    for (std::size_t g = 0; g < groups; ++g)
        if (best[g] != never) best[g] += float_log(1.0F + float_exp(second[g] - best[g]));
    return best;
}

}  // namespace

void keep_best_parts(std::span<const float> scores, std::size_t keep, std::span<float> logits) {
    std::vector<ExpertIndex> best(keep);
    select_topk(scores, best);
    const std::size_t length = logits.size() / scores.size();
    for (std::size_t part = 0; part < scores.size(); ++part)
        if (std::find(best.begin(), best.end(), static_cast<ExpertIndex>(part)) == best.end())
            std::fill_n(logits.begin() + static_cast<std::ptrdiff_t>(part * length), length, never);
}

GroupPolicy::GroupPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, const GroupSpec& groups)
    : TokenPolicy(std::move(gate), top_k), spec_(groups) {}

std::size_t GroupPolicy::prepare(const Token&, std::span<float> logits) const {
    const auto groups = static_cast<std::size_t>(spec_.groups), tiers = static_cast<std::size_t>(spec_.tiers);
    std::vector<float> scores = group_scores(logits, groups, spec_.score);
    if (tiers > 1) {
        std::vector<float> tier_scores(tiers);
        for (std::size_t t = 0; t < tiers; ++t)
            tier_scores[t] =
                *std::max_element(scores.begin() + static_cast<std::ptrdiff_t>(t * (groups / tiers)),
                                  scores.begin() + static_cast<std::ptrdiff_t>((t + 1) * (groups / tiers)));
        keep_best_parts(tier_scores, static_cast<std::size_t>(spec_.chosen_tiers), scores);
    }
    keep_best_parts(scores, static_cast<std::size_t>(spec_.chosen_groups), logits);
    return top_k();
}

}  // namespace moesim
