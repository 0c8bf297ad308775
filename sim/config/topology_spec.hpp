#pragma once
// moesim.topology/1: a cluster as its file describes it.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/units.hpp"

namespace moesim {

// What a link of one kind can carry, in each direction, and how long a bit takes over it.
struct LinkSpec {
    BytesPerSecond bandwidth;
    Seconds latency;
    bool operator==(const LinkSpec&) const = default;
};

enum class TopologyKind : unsigned char { nvswitch_node, fat_tree };

struct TopologySpec {
    std::string name;
    std::string source;  // where the figures come from
    TopologyKind kind = TopologyKind::nvswitch_node;
    std::int64_t nodes = 1;
    std::int64_t gpus_per_node = 8;
    LinkSpec nvlink;  // one GPU <-> its node's switch
    // Fat tree only: one NIC a GPU, leaf switches that serve `nodes_per_leaf` nodes each, and a spine above them.
    LinkSpec nic;     // one GPU's NIC <-> its leaf switch
    LinkSpec uplink;  // one leaf <-> the spine; the bandwidth is that of all its uplinks together,
                      // derived: nodes_per_leaf * gpus_per_node * nic / oversubscription
    std::int64_t nodes_per_leaf = 1;
    double oversubscription = 1.0;

    [[nodiscard]] std::int64_t gpus() const { return nodes * gpus_per_node; }
    bool operator==(const TopologySpec&) const = default;
};

// Throws InputError. `file` names the document in messages, `path` its place in it.
TopologySpec parse_topology(const nlohmann::json& json, const std::string& file, const std::string& path = "$");
nlohmann::ordered_json to_json(const TopologySpec& topology);

}  // namespace moesim
