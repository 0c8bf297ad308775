#pragma once
// A testbed of two hosts, for tests of what is built and of what is removed.
#include <map>

#include "calibrate/testbed/plan.hpp"
#include "support/topologies.hpp"

namespace moesim::test {

// Two nodes of one GPU at one leaf, NICs at 100 Mbit/s. Nothing needs the spine.
inline TopologySpec two_hosts() {
    TopologySpec t;
    t.name = "pair";
    t.kind = TopologyKind::fat_tree;
    t.nodes = 2;
    t.gpus_per_node = 1;
    t.nic = link_spec(12.5e6);
    t.nodes_per_leaf = 2;
    t.uplink = link_spec(25e6);
    return t;
}

inline testbed::Plan plan_of(const TopologySpec& topology, const std::map<std::size_t, double>& cpus = {}) {
    testbed::Settings settings;
    settings.backlog = 1000;
    return testbed::plan("t", build_fabric(topology), "t.json", settings, cpus, testbed::CpuGroups{1, "/groups"});
}

}  // namespace moesim::test
