#pragma once
// Clusters for tests: small ones of each family, and random ones.
#include <cstdint>
#include <string>
#include <vector>

#include "topology/fabric.hpp"

namespace moesim::test {

LinkSpec link_spec(double bytes_per_s, double latency_s = 0);

// `nodes` NVSwitch nodes of `gpus` at 1 GB/s, NICs at 0.1 GB/s, two nodes a leaf, 1 us every link.
TopologySpec small_rails(std::int64_t nodes, std::int64_t gpus, CrossRail cross_rail);
// Eight nodes of one GPU at 1 GB/s; two nodes a leaf, two leaves a pod, NICs at 0.1 GB/s, core oversubscribed 2:1.
TopologySpec small_clos(EqualPaths equal_paths);
// One node: two sockets, two switches each, two GPUs a switch; GPUs at 4 GB/s, switches at 3, sockets at 1; 1 us each.
TopologySpec small_pcie();
// Bare nodes of one GPU, NICs at 1 GB/s, links at 0.1 GB/s, 1 us each.
TopologySpec small_torus(std::vector<std::int64_t> dimensions);
// Three groups of two routers of one node of one GPU, one global link a router: NICs 1 GB/s, local 0.2, global 0.1.
TopologySpec small_dragonfly();
// GPUs 0 and 1 in one node, 2 in another, at one switch by NICs of 0.1 GB/s; 0 and 1 joined at 1 GB/s.
TopologySpec small_list();

// A topology of any family and up to some 100 GPUs, all of its options drawn; the same for the same number.
TopologySpec random_cluster(std::uint64_t number);

std::vector<std::string> route_names(const Fabric& fabric, std::size_t from, std::size_t to);
// parse(text of to_json(t)).
TopologySpec read_back(const TopologySpec& t);

}  // namespace moesim::test
