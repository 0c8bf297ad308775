#pragma once
// A scenario over time: one batch a step.
#include <string>

#include "base/split.hpp"
#include "config/scenario.hpp"
#include "config/trace/trace.hpp"

namespace moesim {

// Step t, from 0: the batch of tokens that comes after those of all steps before it, and `routing.step` t more, so that
// popularities that drift or move have done so t times. A recorded routing goes on where the step before ended.
Scenario at_step(const Scenario& scenario, std::int64_t step);

// What those steps chose, a source's tokens together and in the order of the steps; of one step with more than `most`
// tokens a batch of so many, in whole sequences and one at least. Throws as record() does.
RoutingTrace seen_tokens(const Scenario& scenario, const std::string& origin, Range steps, std::int64_t most);

// Throws InputError where so many steps are more than a recorded routing has tokens for, or than there may be.
void check_steps(const Scenario& scenario, const std::string& origin, std::int64_t steps);

}  // namespace moesim
