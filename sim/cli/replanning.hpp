#pragma once
#include <string>

#include "config/scenario.hpp"
#include "study/replanning.hpp"

namespace moesim {

// What a user says of the hysteresis: a number, or "none" for no such rule. Throws InputError.
std::optional<double> parse_hysteresis(const std::string& text);

// moesim.replanning/1.
std::string replanning_document(const Scenario& scenario, const ReplanningOptions& options, const Replanning& found);
std::string replanning_table(const Scenario& scenario, const ReplanningOptions& options, const Replanning& found);

}  // namespace moesim
