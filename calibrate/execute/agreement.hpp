#pragma once
// Whether tokens that a GPU computed are those that the CPU computes.
#include <cstdint>
#include <span>
#include <string>

#include "config/scenario.hpp"

namespace moesim {

// Of the token that is furthest off, as a share of what it may be off.
struct Agreement {
    std::int64_t token = 0;                                              // of the batch
    double difference = 0, allowed = 0;                                  // root mean squares over the token's values
    [[nodiscard]] bool within() const { return difference <= allowed; }  // and no value is a NaN
};

// expected, found: [token][hidden] after the last layer, of the same tokens. A product of a GPU is not the CPU's to the
// last bit, since its terms are added in another order, so a number that lies near the middle between two that can be
// stored may become the other one. A token may be off by
//   sqrt(n) (result_step + 2^-7 r),
// n being how many times something was added to it, and r the root mean square of its values: each result of the
// experts a step to the other side (made_model.hpp) and two values of bf16 (8 bits) rounded to the other side, this way
// and that. Another token in its place is off by about sqrt(2) r. No GPU has been held to this yet.
// Throws InternalError where the sizes differ.
Agreement agreement(const Scenario& scenario, std::span<const float> expected, std::span<const float> found);

// "within the tolerance: token 5 is off most, by 0.0021 of at most 0.047"
std::string said(const Agreement& agreement);

}  // namespace moesim
