#pragma once
// Deterministic selection of the k largest.
#include <span>

#include "base/ids.hpp"

namespace moesim {

// The experts with the chosen.size() largest logits, largest first; of equal ones the lower id goes first. What is
// minus infinity is not chosen: the places that are left hold no_expert.
void select_topk(std::span<const float> logits, std::span<ExpertIndex> chosen);

}  // namespace moesim
