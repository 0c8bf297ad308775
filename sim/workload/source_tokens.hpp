#pragma once
// How a batch is shared out among its sources (data-parallel ranks).
#include <vector>

#include "base/split.hpp"
#include "config/scenario.hpp"

namespace moesim {

// [data]: the tokens of each, runs of the whole batch. Even, but for BatchSpec::source_weights and source_spread; those
// shares are rounded so that all tokens have a place.
std::vector<Range> source_tokens(const Scenario& scenario);

}  // namespace moesim
