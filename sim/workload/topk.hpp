#pragma once
// Deterministic selection of the largest k.
#include <cstddef>
#include <span>

#include "workload/policy.hpp"

namespace moesim {

// Writes the indices of the largest chosen.size() logits, in descending order; of equal ones the lower index first.
// chosen.size() is at most logits.size(), and no logit is NaN.
void select_topk(std::span<const double> logits, std::span<ExpertIndex> chosen);

}  // namespace moesim
