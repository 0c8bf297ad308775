#include "study/resolve.hpp"

namespace moesim {

Plan resolve(Scenario scenario, std::string origin) {
    Fabric fabric = build_fabric(scenario.topology);
    Placement placement = make_placement(scenario.placement, scenario.model, scenario.parallelism);
    std::shared_ptr<const RoutingPolicy> policy = make_policy(scenario);
    return {std::move(scenario), std::move(origin), std::move(fabric), std::move(placement), std::move(policy)};
}

}  // namespace moesim
