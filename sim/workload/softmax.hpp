#pragma once
// Sums and maxima in a fixed order that leaves no addition waiting for the one before, and what softmax makes of them.
#include <span>

namespace moesim {

// Minus infinity where there is none.
float largest(std::span<const float> values);
double sum(std::span<const float> values);

// In place: logits -> e^(logit - the largest). Returns their sum. At least one logit must be finite.
double exp_below_largest(std::span<float> logits);

// In place: logits -> probabilities.
void softmax(std::span<float> logits);

}  // namespace moesim
