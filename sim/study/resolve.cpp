#include "study/resolve.hpp"

#include <fmt/format.h>

#include <variant>

#include "base/error.hpp"
#include "config/trace/read_trace.hpp"
#include "network/alltoall/choose.hpp"
#include "network/link_faults.hpp"

namespace moesim {
namespace {

std::shared_ptr<const RoutingTrace> replayed_trace(const Scenario& s, const std::string& origin) {
    if (s.routing.policy != Policy::trace) return nullptr;
    RecordedRouting recorded;
    try {
        recorded = read_trace(s.routing.trace, {});
    } catch (const InputError& e) {
        throw InputError(fmt::format("{}: $.routing.trace: found \"{}\" ({}), expected a recorded routing", origin,
                                     s.routing.trace, e.what()));
    }
    auto* trace = std::get_if<RoutingTrace>(&recorded);
    if (trace == nullptr)
        throw InputError(
            fmt::format("{}: $.routing.trace: found \"{}\", loads without tokens, expected a routing of "
                        "each token",
                        origin, s.routing.trace));
    return std::make_shared<const RoutingTrace>(std::move(*trace));
}

}  // namespace

std::shared_ptr<const RoutingPolicy> resolve_policy(const Scenario& scenario, const std::string& origin) {
    return make_policy(scenario, replayed_trace(scenario, origin));
}

Plan resolve(Scenario scenario, std::string origin) {
    Fabric fabric = build_fabric(scenario.topology);
    if (!scenario.network.faults.links.empty()) LinkFaults(scenario.network.faults, fabric, origin);  // names links
    Placement placement = make_placement(scenario.placement, scenario.model, scenario.parallelism);
    if (scenario.dispatch.algorithm == Algorithm::chosen)
        scenario.dispatch = chosen_dispatch(scenario, placement, fabric);
    std::shared_ptr<const RoutingPolicy> policy = resolve_policy(scenario, origin);
    return {std::move(scenario), std::move(origin), std::move(fabric), std::move(placement), std::move(policy)};
}

}  // namespace moesim
