#pragma once
// The links that the messages of one collective call share: those of the cluster as the library drives them, and what
// copies on the GPUs themselves.
#include <optional>

#include "config/profile.hpp"
#include "topology/fabric.hpp"

namespace moesim {

// What a library's call attains. The laws (nccl_law.hpp, deepep_*_law.hpp) fill it in.
struct CallLimits {
    // Of the multiprocessors that copy, out of and into each GPU. A message takes both ends' with the wire between.
    BytesPerSecond copy{unlimited_rate};
    bool copies_inside = true;  // false: what stays inside a node, but on another GPU, does not take them
    // Of every port of its class, in the place of the cluster's own; nothing: the cluster's own.
    std::optional<BytesPerSecond> nvlink, nic;
    // Each node's bridge between groups of `bridge_gpus` GPUs, both ways together.
    std::optional<BytesPerSecond> bridge;
    std::size_t bridge_gpus = 1;

    static constexpr double unlimited_rate = 1e18;
};

// The fabric with those capacities and, after the cluster's links, "gpuR.copy.out" and "gpuR.copy.in" for each rank R
// and "nodeN.bridge" for each node N. A route of a rank to itself takes its two copy links.
Fabric with_call_limits(const Fabric& fabric, const CallLimits& limits);

// The profile for a MessageModel over that fabric: its links give what their capacity says, and what precedes a
// message's bytes is left to the laws.
Profile without_link_losses(Profile profile);

}  // namespace moesim
