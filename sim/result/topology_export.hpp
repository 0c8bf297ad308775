#pragma once
// A cluster in the formats of other programs.
#include <string>

#include "topology/fabric.hpp"

namespace moesim {

// A platform file for SimGrid 3.32 and later (DTD version 4.1): a host a GPU, speed 1 TFLOP/s times its relative speed,
// and each pair's route. Throws InputError for more than 1,024 GPUs, since the file names every route.
std::string simgrid_platform(const Fabric& fabric, const std::string& name);

// A directed graph for Graphviz (`dot -Tsvg`), the GPUs and switches of a node in a box.
std::string graphviz(const Fabric& fabric, const std::string& name);

// A connection matrix for htsim (Broadcom/csg-htsim, sim/datacenter/connection_matrix.cpp): each GPU sends `bytes` to
// each other one at time 0. Throws InputError for more than 4,096 GPUs, and where bytes are more than htsim's 2^31 - 1.
std::string htsim_connections(const Fabric& fabric, Bytes bytes);

// The same cluster as a list of links. Its routes are the shortest, of those the fastest, of equal ones that with the
// lowest ids, or by hash where the topology says so: those of a torus, across rails, and of equal paths by hash, may be
// others than before. Throws InputError where the list would be larger than can be read back.
TopologySpec listed(const TopologySpec& spec, const Fabric& fabric);

// The share of the pairs of GPUs, of at most 256 GPUs spread evenly over the cluster, whose routes in two fabrics of
// the same links differ.
double rerouted_share(const Fabric& fabric, const Fabric& other);

}  // namespace moesim
