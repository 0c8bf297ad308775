#pragma once
#include <optional>
#include <string>

#include "config/scenario.hpp"

namespace moesim {

// What of a scenario is larger than a run can hold or count.
struct Excess {
    std::string key;  // of the scenario: where to make it smaller
    std::string found, expected;
};

// Each size of a scenario may be possible and their product not: a run holds one task for each pair of ranks in each
// chunk, and counts its bytes in 64 bits. Saying so at once is better than being killed half an hour later.
std::optional<Excess> excess_of(const Scenario& scenario);

}  // namespace moesim
