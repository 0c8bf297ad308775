#pragma once
// Whole scenarios, simulated in a child process.
#include <nlohmann/json.hpp>

#include "engine/simulate.hpp"
#include "result/metrics.hpp"

namespace moesim::test {

// The result document of a scenario.
nlohmann::json simulate_document(const Scenario& scenario);

// Whatever `look` makes of the result.
nlohmann::json simulate_and(const Scenario& scenario,
                            const std::function<nlohmann::json(const Result&, const Metrics&)>& look);

// Member `key` of a stage in a result document.
double stage_value(const nlohmann::json& document, std::string_view stage, const char* key);

}  // namespace moesim::test
