#pragma once
// moesim.topology/1: a cluster as its file describes it.
#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"

namespace moesim {

// What a link of one kind can carry, in each direction, and how long a bit takes over it.
struct LinkSpec {
    BytesPerSecond bandwidth;
    Seconds latency;
    bool operator==(const LinkSpec&) const = default;
};

// nvlink and pcie are inside a node; nic is a GPU's own way into the network; uplink is between the switches of a
// tree, fabric between those of a dragonfly or a torus.
enum class LinkClass : unsigned char { nvlink, nic, uplink, pcie, fabric };
inline constexpr std::array<std::string_view, 5> link_class_names = {"nvlink", "nic", "uplink", "pcie", "fabric"};
inline constexpr std::size_t link_class_count = link_class_names.size();

enum class TopologyKind : unsigned char {
    nvswitch_node,
    fat_tree,
    pcie_node,
    rail_optimised,
    clos,
    dragonfly,
    torus,
    links
};
inline constexpr std::array<std::string_view, 8> topology_kind_names = {
    "nvswitch_node", "fat_tree", "pcie_node", "rail_optimised", "clos", "dragonfly", "torus", "links"};

// Equal ways through the network: `spread` has them as one link of what they carry together, which is ideal
// spreading; `hash` keeps them apart and gives each pair of GPUs one of them (topology/ecmp.hpp says which).
enum class EqualPaths : unsigned char { spread, hash };

// How GPUs of different index in their nodes reach each other in a rail-optimised network.
enum class CrossRail : unsigned char { spine, nvlink };

// Inside a node without NVSwitch: GPUs at PCIe switches, switches at sockets, sockets at each other. Each socket has
// `switches_per_socket`, and the GPUs are dealt out to the switches in equal runs.
struct PcieSpec {
    std::int64_t sockets = 2, switches_per_socket = 2;
    LinkSpec gpu;                    // one GPU <-> its switch; what it sends to its NIC takes this as well
    std::optional<LinkSpec> host;    // one switch <-> its socket, where a node has several switches
    std::optional<LinkSpec> socket;  // each socket <-> each other one, where there are several
    [[nodiscard]] std::int64_t switches() const { return sockets * switches_per_socket; }
    bool operator==(const PcieSpec&) const = default;
};

// A direct link between two GPUs of every node, by their index in it, in both directions: an NVLink bridge.
struct BridgeSpec {
    std::int64_t a = 0, b = 1;
    LinkSpec link;
    bool operator==(const BridgeSpec&) const = default;
};

// Pods of leaves under aggregation switches, and core switches above (Al-Fares, Loukissas, Vahdat, "A Scalable,
// Commodity Data Center Network Architecture", SIGCOMM 2008): what a Clos has above its leaves.
struct ClosSpec {
    std::int64_t leaves_per_pod = 1;
    double core_oversubscription = 1.0;
    // One pod <-> the core; the bandwidth is that of all its core uplinks together, derived:
    // leaves_per_pod * uplink / core_oversubscription.
    LinkSpec core_uplink;
    std::int64_t aggregations = 1, cores = 1;  // a pod's, and all; only where paths are hashed
    bool operator==(const ClosSpec&) const = default;
};

// Kim, Dally, Scott, Abts, "Technology-Driven, Highly-Scalable Dragonfly Topology", ISCA 2008: the routers of a group
// are all linked to each other, and the groups are.
struct DragonflySpec {
    std::int64_t groups = 1, routers_per_group = 1, nodes_per_router = 1, global_links_per_router = 1;
    LinkSpec local, global;  // one link each
    bool operator==(const DragonflySpec&) const = default;
};

// A router a node, linked to the next one and the one before in each dimension, round and round (Dally and Towles,
// "Principles and Practices of Interconnection Networks", 2004, chapter 5). Node n is at n mod d0, n / d0 mod d1, ...
struct TorusSpec {
    std::vector<std::int64_t> dimensions;
    LinkSpec link;
    bool operator==(const TorusSpec&) const = default;
};

// One direction of a link between two vertices: GPUs count from 0, switches from the number of GPUs on.
struct ListedLink {
    std::string name;
    std::uint32_t from = 0, to = 0;
    LinkSpec spec;
    LinkClass link_class = LinkClass::nvlink;
    bool operator==(const ListedLink&) const = default;
};

// Any cluster, link by link. Routes are the shortest by links, of those the fastest, then by latency; of equal ones
// the lowest link ids, or one by hash.
struct LinkListSpec {
    std::vector<std::int64_t> node_of_gpu;  // [gpu]; the GPUs of a node follow each other
    std::vector<std::string> switches;      // names
    std::vector<ListedLink> links;
    bool gpus_forward = false;  // a route may pass through GPUs
    [[nodiscard]] std::size_t vertices() const { return node_of_gpu.size() + switches.size(); }
    bool operator==(const LinkListSpec&) const = default;
};

// What is different in some nodes, or in some GPUs of them. Of several that name a GPU the last one counts.
struct OverrideSpec {
    std::vector<std::int64_t> nodes;
    std::vector<std::int64_t> gpus;  // by their index in a node; none: all
    std::optional<LinkSpec> nvlink, pcie, nic;
    std::optional<double> speed;  // of the GPU's computing, relative to its profile, (0, 1]
    bool operator==(const OverrideSpec&) const = default;
};

struct TopologySpec {
    std::string name;
    std::string source;  // where the figures come from
    TopologyKind kind = TopologyKind::nvswitch_node;
    std::int64_t nodes = 1;
    // The GPUs of each node. In a list of links whose nodes differ, the largest number that divides all of theirs, so
    // that groups of as many GPUs, counted from the first, are inside a node.
    std::int64_t gpus_per_node = 8;
    // The inside of a node: NVSwitch, or PCIe, or (nodes of one GPU) neither, nvlink then being all zero.
    LinkSpec nvlink;  // one GPU <-> its node's switch
    std::optional<PcieSpec> pcie;
    std::vector<BridgeSpec> bridges;
    // Networks: one NIC a GPU. In trees leaf switches serve `nodes_per_leaf` nodes each, and a spine is above them;
    // where rails are optimised, one GPU of each of them.
    LinkSpec nic;     // one GPU's NIC <-> its leaf switch or router
    LinkSpec uplink;  // one leaf <-> the spine (or its pod's aggregation); the bandwidth is that of all its uplinks
                      // together, derived: GPUs of a leaf * nic / oversubscription. All zero: there is no spine.
    std::int64_t nodes_per_leaf = 1;
    double oversubscription = 1.0;
    EqualPaths equal_paths = EqualPaths::spread;
    std::int64_t spines = 1;  // only where paths are hashed
    CrossRail cross_rail = CrossRail::spine;
    ClosSpec clos;
    DragonflySpec dragonfly;
    TorusSpec torus;
    LinkListSpec list;
    std::vector<OverrideSpec> overrides;

    [[nodiscard]] std::int64_t gpus() const {
        return kind == TopologyKind::links ? static_cast<std::int64_t>(list.node_of_gpu.size()) : nodes * gpus_per_node;
    }
    [[nodiscard]] bool one_node() const {
        return kind == TopologyKind::nvswitch_node || kind == TopologyKind::pcie_node;
    }
    [[nodiscard]] bool has_nvswitch() const { return nvlink.bandwidth > BytesPerSecond(0); }
    [[nodiscard]] bool has_spine() const { return uplink.bandwidth > BytesPerSecond(0); }
    [[nodiscard]] std::int64_t leaves() const;  // of a tree; 0 elsewhere
    [[nodiscard]] bool has_pcie() const;        // some link is of that class
    bool operator==(const TopologySpec&) const = default;
};

// Routes have at most so many links; parsers refuse what would need more.
inline constexpr std::size_t max_route_links = 32;

// Throws InputError. `file` names the document in messages, `path` its place in it.
TopologySpec parse_topology(const nlohmann::json& json, const std::string& file, const std::string& path = "$");
nlohmann::ordered_json to_json(const TopologySpec& topology);

}  // namespace moesim
