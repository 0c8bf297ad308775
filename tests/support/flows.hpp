#pragma once
// Transfers over links without a cluster around them: run by SimGrid, and by the fluid network.
#include <cstdint>
#include <limits>
#include <vector>

#include "network/fluid/fluid_network.hpp"

namespace moesim::test {

struct FlowCase {
    struct Flow {
        std::vector<FluidNetwork::Link> route;
        double bytes = 1;
        double start = 0;
        double cap = std::numeric_limits<double>::infinity();
    };
    struct Change {
        double at = 0;
        FluidNetwork::Link link = 0;
        double capacity = 0;
    };
    std::vector<double> capacity;  // [link] bytes a second
    std::vector<Flow> flows;
    std::vector<Change> changes;
};

// When each flow ends.  [flow]
std::vector<double> ends_by_simgrid(const FlowCase& c);
std::vector<double> ends_by_fluid(const FlowCase& c, double tolerance = 0);

// Links, routes, sizes, starts, caps and changes of capacity at random; a cap is a link of its own to SimGrid.
FlowCase random_flows(std::uint64_t number);
// All pairs of ranks in nodes of eight under leaves of sixteen, all at once: sizes differ by up to exp(spread), and
// ranks start within `stagger` of what the whole takes.
FlowCase all_to_all(std::size_t ranks, double spread, double stagger, std::uint64_t seed);
// When the last flow of each rank of an all_to_all() ends, whether it sends or gets it.
std::vector<double> rank_ends(std::size_t ranks, const std::vector<double>& flow_ends);

}  // namespace moesim::test
