#pragma once
#include <cstdint>

#include "config/scenario.hpp"

namespace moesim::test {

// A small valid scenario, drawn over all that a scenario can vary: topology, grid, skew, deduplication, schedule,
// capacity, stragglers. The same for the same number.
Scenario random_scenario(std::uint64_t number);

}  // namespace moesim::test
