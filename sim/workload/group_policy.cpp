#include "workload/group_policy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "workload/topk.hpp"

namespace moesim {
namespace {

constexpr float never = -std::numeric_limits<float>::infinity();

// Of one group; in proportion to probabilities, since only the order matters. Minus infinity where nothing is left.
float score(std::span<const float> logits, float top, GroupScore kind) {
    float best = never, second = never;
    for (const float l : logits) {
        second = std::max(second, std::min(best, l));
        best = std::max(best, l);
    }
    if (best == never) return never;
    return std::exp(best - top) + (kind == GroupScore::top2_sum ? std::exp(second - top) : 0.0F);
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
    const std::size_t length = logits.size() / groups;
    const float top = *std::max_element(logits.begin(), logits.end());
    std::vector<float> scores(groups);
    for (std::size_t g = 0; g < groups; ++g) scores[g] = score(logits.subspan(g * length, length), top, spec_.score);
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
