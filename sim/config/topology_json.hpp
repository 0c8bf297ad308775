#pragma once
// Pieces of moesim.topology/1 that its parsers share.
#include "config/json_object.hpp"
#include "config/topology_spec.hpp"

namespace moesim {

Seconds parse_latency(const JsonObject& o);
BytesPerSecond parse_bandwidth(const JsonObject& o);
// {"bandwidth": ..., "latency": ...}
LinkSpec parse_link_spec(const JsonValue& value);
nlohmann::ordered_json link_spec_json(const LinkSpec& link);

// A list of links: its keys "node_of_gpu", "switches", "links", "gpus_forward" and "routing" of the topology `o`.
// Sets the topology's nodes, gpus_per_node, list and equal_paths. Throws where a pair of GPUs has no way of at most
// max_route_links links.
void parse_link_list(const JsonObject& o, TopologySpec& topology);
// Throws at `at` where the list is too large for its routes to be computed, or has no such way.
void check_link_list(const JsonValue& at, const LinkListSpec& list);
// Adds those keys.
void write_link_list(const TopologySpec& topology, nlohmann::ordered_json& j);

// Largest sizes of a list of links. Its routes are a table of GPUs x vertices, computed in GPUs x links steps.
inline constexpr std::size_t max_listed_gpus = 4096, max_listed_switches = 16384, max_listed_links = 131072;
inline constexpr std::size_t max_listed_table = std::size_t{1} << 24, max_listed_steps = std::size_t{1} << 28;

}  // namespace moesim
