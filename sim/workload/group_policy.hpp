#pragma once
// Experts from few groups only, so that a token goes to few nodes.
#include "workload/token_policy.hpp"

namespace moesim {

// The best tiers are kept, in them the best groups, in them the k best experts. Tiers and groups are runs of experts of
// equal length; one tier makes it group-limited routing as in DeepSeek-V2 (arXiv:2405.04434, groups by their best
// expert) and DeepSeek-V3 (arXiv:2412.19437, by the sum of their two best). A tier is rated by its best group.
// Probabilities are the softmax over all experts; equal scores go to the lower number.
class GroupPolicy final : public TokenPolicy {
  public:
    GroupPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, const GroupSpec& groups);

  private:
    std::size_t prepare(const Token& token, std::span<float> logits) const override;
    GroupSpec spec_;
};

// Takes out all but the `keep` parts with the largest scores: `logits` is cut into scores.size() parts of equal length.
void keep_best_parts(std::span<const float> scores, std::size_t keep, std::span<float> logits);

}  // namespace moesim
