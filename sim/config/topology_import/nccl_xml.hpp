#pragma once
// The topology that NCCL sees on a node, as NCCL_TOPO_DUMP_FILE writes it (NVIDIA/nccl, src/graph/xml.cc, topo.cc):
// <system> of <cpu>s, of <pci> bridges and devices, of <gpu>s with their <nvlink>s and <nic>s with their <net>s.
#include <string>
#include <string_view>

#include "config/topology_spec.hpp"

namespace moesim {

// GPUs in the order of `dev`; CPUs of different host_hash are different nodes. PCIe links carry what their generation
// and width carry on the wire (a width of 0, as virtual machines say, is 16; no speed is generation 3, both as in
// NCCL); NVLinks their number times the datasheet's bandwidth of one (25 GB/s a direction; sm 60: 20, sm 86: 14.0625,
// sm 100 and later: 50). All NVSwitches are one. CPUs of one node are joined at NCCL's own figures (src/graph/topo.h):
// Intel 6 to 40 by model, AMD 16, POWER 32, ARM 6 GB/s, else 10. A <net> is a switch at the end of a link of class nic.
// The dump has no latencies, so these are assumed, and the topology's source says so: 1.15 us NVLink, 1 us PCIe and
// between CPUs, 0.95 us NIC. GPUs that are joined directly pass on what is for others. Throws InputError: "FILE: line
// N: ...".
TopologySpec read_nccl_xml(std::string_view text, const std::string& file);

}  // namespace moesim
