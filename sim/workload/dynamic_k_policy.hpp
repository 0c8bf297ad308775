#pragma once
// As many experts as a token needs.
#include "workload/token_policy.hpp"

namespace moesim {

// The experts of a layer at most: k_max in a uniform schedule; a line down to or up from `least` over the layers; a
// pyramid with `least` at both ends and k_max in the middle; a wave of one period every four layers between them.
// Rounded to the nearest, halves up.
std::size_t scheduled_k(Schedule schedule, std::size_t least, std::size_t k_max, std::size_t layer, std::size_t layers);

// A token takes its best experts until their probabilities (softmax over all) reach the threshold, at least
// spec.least, at most the layer's k (Huang et al., "Harder Tasks Need More Experts", ACL 2024).
class DynamicKPolicy final : public TokenPolicy {
  public:
    DynamicKPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, std::size_t layers, const DynamicKSpec& spec);

  private:
    std::size_t prepare(const Token& token, std::span<float> logits) const override;
    DynamicKSpec spec_;
    std::vector<std::size_t> most_;  // [layer]
};

}  // namespace moesim
