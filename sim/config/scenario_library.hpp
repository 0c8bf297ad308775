#pragma once
#include "config/json_object.hpp"
#include "config/scenario.hpp"

namespace moesim {

// Whether some expert group has ranks on several nodes.
bool groups_span_nodes(const Scenario& scenario);

// Throws InputError where the rest of the scenario `o` does not go with its dispatch.library: its profile, its
// topology or its network model.
void check_library(const JsonObject& o, const Scenario& scenario);

}  // namespace moesim
