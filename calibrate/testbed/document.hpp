#pragma once
// What a testbed is, as it is shown and as later commands read it.
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "calibrate/testbed/push.hpp"

namespace moesim::testbed {

// moesim.testbed/1: {"schema", "name", "folder", "topology": {...}, "settings": {...}, "hosts": [{"rank", "name",
// "node", "namespace", "address", "cpus"}], "links": [{"name", "namespace", "device", "bytes_per_s", "wire_bits_per_s",
// "burst_bytes", "queue_bytes"}], "cpu": {...}, "control_namespace", "mpirun": [...]}. `cost`: none where it was not
// measured.
nlohmann::ordered_json to_json(const Plan& plan, const Fabric& fabric, const TopologySpec& topology,
                               const std::string& folder, const std::optional<CpuCost>& cost);

// The same as lines of text.
std::string table(const nlohmann::ordered_json& document);

}  // namespace moesim::testbed
