#pragma once
// What it takes to go from one placement to another: copies of experts' weights, over the cluster's own links.
//
// All copies of all layers and groups start together, those between two GPUs as one transfer, and nothing else is under
// way: the model stands still meanwhile. They share the links max-min fairly (network/transfer_time.hpp), at the rates
// and after the start-ups that the profile's `links` have; a library's limits, links that fail, and memory for what is
// under way are left out.
#include <cstdint>
#include <span>
#include <vector>

#include "config/scenario.hpp"
#include "placement/placement.hpp"
#include "topology/fabric.hpp"

namespace moesim {

// One expert's weights, from a position of a group to another.
struct ExpertCopy {
    LayerId layer;
    std::size_t expert = 0;
    std::uint32_t from = 0, to = 0;
    bool operator==(const ExpertCopy&) const = default;
};

// One for each position that has an expert in `after` and had no copy of it before (a second one there is made where it
// is). It comes from a position that had the expert: of the same node, where there is one, and of these from the one
// that sends the least so far, the lowest of equals. node: [position]. Throws InternalError where the placements differ
// in shape.
std::vector<ExpertCopy> expert_copies(const Placement& before, const Placement& after,
                                      std::span<const std::uint32_t> node);

struct Migration {
    std::int64_t copies = 0;  // of experts, in all groups
    Bytes bytes;              // of those, all tensor-parallel parts together
    Seconds time;             // until the last has arrived
};
// All groups of the scenario, each from GPUs of its own. Throws as expert_copies() does.
Migration migration(const Placement& before, const Placement& after, const Scenario& scenario, const Fabric& fabric);

}  // namespace moesim
