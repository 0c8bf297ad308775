#pragma once
// The topology text of SimAI and its ns-3 backend (aliyun/SimAI, astra-sim-alibabacloud/inputs/topo):
//   node_num gpus_per_server nvswitch_num switch_num link_num gpu_type
//   ids of the NVSwitches, then of the other switches, on one line or several
//   src dst bandwidth latency error_rate          a line a link, both ways; "2880Gbps", "0.000025ms"
#include <string>
#include <string_view>

#include "config/topology_spec.hpp"

namespace moesim {

// GPUs in the order of their ids. All NVSwitches of a server are one switch, and parallel links one link of their sum:
// traffic spreads over them ideally. Equal paths between switches are chosen by hash. Links that lose packets are
// refused, since moesim has no losses. Throws InputError: "FILE: line N: found ..., expected ...".
TopologySpec read_simai(std::string_view text, const std::string& file);

}  // namespace moesim
