#pragma once
// A cluster and its network, for people and for programs.
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "topology/describe.hpp"

namespace moesim {

std::string table(const TopologySpec& spec, const Fabric& fabric, const TopologyDescription& description);
// moesim.topology-description/1
nlohmann::ordered_json to_json(const TopologySpec& spec, const Fabric& fabric, const TopologyDescription& description);

}  // namespace moesim
