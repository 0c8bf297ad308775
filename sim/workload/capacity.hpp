#pragma once
// The limit on how many tokens one expert takes.
#include <cstdint>
#include <span>

#include "workload/policy.hpp"

namespace moesim {

// ceil(factor * tokens * top_k / experts) (GShard, Lepikhin et al. 2021; Switch, Fedus et al. 2022).
std::int64_t expert_capacity(double factor, std::int64_t tokens, std::int64_t top_k, std::int64_t experts);

// Replaces by no_expert what exceeds the capacity of an expert, in arrival order: token after token, a token's better
// choices first. choices is [token][top_k] of one source rank. Returns how many were dropped.
std::int64_t drop_overflow(std::span<ExpertIndex> choices, std::int64_t capacity, std::int64_t experts);

}  // namespace moesim
