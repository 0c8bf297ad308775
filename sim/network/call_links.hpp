#pragma once
// The links that the messages of one collective call share: those of the cluster, and the call's own: what the library
// attains at the ports, and what copies on the GPUs themselves.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/profile.hpp"
#include "topology/fabric.hpp"

namespace moesim {

// What a library's call attains. The laws (nccl_law.hpp, deepep_*_law.hpp) fill it in.
struct CallLimits {
    // Of the multiprocessors that copy, out of and into each GPU. A message takes both ends' with the wire between.
    BytesPerSecond copy{unlimited_rate};
    bool copies_inside = true;  // false: what stays inside a node, but on another GPU, does not take them
    // What leaves each GPU by a link of the class, and what arrives, together; nothing: as much as the links carry.
    std::optional<BytesPerSecond> nvlink, nic;
    // Each node's bridge between groups of `bridge_gpus` GPUs, both ways together.
    std::optional<BytesPerSecond> bridge;
    std::size_t bridge_gpus = 1;

    static constexpr double unlimited_rate = 1e18;
};

// Calls that may be under way at once, each with links of its own.
struct Call {
    std::string name;  // in its links' names
    CallLimits limits;
};

// One cluster as several kinds of traffic see it. All of these have the same links under the same ids: the cluster's,
// and after them those of each call, "gpuR.CALL.copy.out" and ".in" for each rank R, where limited "gpuR.CALL.nvlink"
// and "gpuR.CALL.nic", and "nodeN.CALL.bridge" for each node N.
struct WithCalls {
    Fabric others;              // the cluster's routes
    std::vector<Fabric> calls;  // [call]; a route of a rank to itself takes its two copy links. No link has a latency.
};
WithCalls with_calls(const Fabric& cluster, std::span<const Call> calls);

// The fabric of a single call; its links have no CALL in their names.
Fabric with_call_limits(const Fabric& cluster, const CallLimits& limits);

// The profile for a MessageModel over the fabric of a call: its links give what their capacity says, and what precedes
// a message's bytes is left to the laws.
Profile without_link_losses(Profile profile);

}  // namespace moesim
