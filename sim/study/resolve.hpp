#pragma once
#include <memory>
#include <string>

#include "engine/plan.hpp"

namespace moesim {

// Scenario -> Plan: builds fabric, placement and routing policy. `origin` names the scenario in messages. Throws
// InputError where a trace that the scenario replays cannot be read or does not fit.
Plan resolve(Scenario scenario, std::string origin);

// The routing policy alone, with the trace that it may replay.
std::shared_ptr<const RoutingPolicy> resolve_policy(const Scenario& scenario, const std::string& origin);

}  // namespace moesim
