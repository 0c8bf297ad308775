#pragma once
#include <cstdint>

#include "config/scenario.hpp"

namespace moesim::test {

// A small valid scenario, drawn over all that a scenario can vary: topology, grid, skew, placement, deduplication,
// schedule, capacity, stragglers. The same for the same number.
Scenario random_scenario(std::uint64_t number);

// The same with a library's all-to-alls, drawn over all that go with it.
Scenario random_library_scenario(std::uint64_t number);

// Whether every token has top_k choices before drops. Other policies leave places empty: where a token skips or wants
// fewer, or where its groups have too few experts that are not silent.
bool fills_every_place(const RoutingSpec& routing);

}  // namespace moesim::test
