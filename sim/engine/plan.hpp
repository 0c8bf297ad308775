#pragma once
// A scenario with everything looked up and built: what simulate() runs.
#include <memory>
#include <string>

#include "config/scenario.hpp"
#include "placement/placement.hpp"
#include "topology/fabric.hpp"
#include "workload/policy.hpp"

namespace moesim {

struct Plan {
    Scenario scenario;
    std::string origin;  // the file it came from, for messages
    Fabric fabric;
    Placement placement;
    std::shared_ptr<const RoutingPolicy> policy;
};

}  // namespace moesim
