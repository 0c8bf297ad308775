#pragma once
// The limit on how many tokens one expert takes.
#include <cstdint>
#include <span>

#include "config/scenario.hpp"
#include "workload/routing.hpp"

namespace moesim {

// ceil(factor * tokens * top_k / experts) (GShard, Lepikhin et al. 2021; Switch, Fedus et al. 2022).
std::int64_t expert_capacity(double factor, std::int64_t tokens, std::int64_t top_k, std::int64_t experts);

// What a limit did to the choices of one source.
struct Limited {
    std::int64_t chosen = 0;    // choices that were made
    std::int64_t rerouted = 0;  // of them, those that went to a next choice
    std::int64_t dropped = 0;   // and those that went nowhere
};

// Holds every expert to `capacity` tokens, in arrival order: token after token, a token's better choices first. The
// routing has a token's ranking in each row: its first top_k places (all places, where the width is smaller or
// `overflow` is drop) are choices, the rest are what `next_choice` falls back to, best first. A choice that goes to
// none is no_expert afterwards, and the routing is top_k wide.
Limited limit_load(Routing& routing, std::size_t top_k, std::int64_t capacity, std::size_t experts, Overflow overflow);

}  // namespace moesim
