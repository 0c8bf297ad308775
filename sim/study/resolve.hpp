#pragma once
#include <string>

#include "engine/plan.hpp"

namespace moesim {

// Scenario -> Plan: builds fabric, placement and routing policy. `origin` names the scenario in messages.
Plan resolve(Scenario scenario, std::string origin);

}  // namespace moesim
