#pragma once
// What a cluster's network is like: how far GPUs are from each other, and how much fits between its halves.
#include <cstdint>
#include <utility>
#include <vector>

#include "topology/fabric.hpp"

namespace moesim {

template <class T>
struct Spread {
    T least{}, most{};
};

// Ordered pairs of GPUs whose routes go over links of the same classes in the same order.
struct DistanceClass {
    bool inside_node = false;
    std::vector<std::pair<LinkClass, std::size_t>> path;  // runs of links of one class
    std::size_t hops = 0;                                 // links
    std::int64_t pairs = 0;
    Spread<Seconds> latency;
    Spread<BytesPerSecond> narrowest;  // of a route's links
};

struct TopologyDescription {
    BytesPerSecond bisection;  // bisection_bandwidth()
    // The same where each rank of the first half sends at one and the same rate to each of the other half, over the
    // routes that the fabric gives them: number of pairs x the least, over links, of capacity / pairs that use it.
    // Never above `bisection`.
    BytesPerSecond bisection_all_pairs;
    std::vector<std::int64_t> pairs_by_hops;  // [links of the route], ordered pairs of different ranks
    double mean_hops = 0;
    std::vector<DistanceClass> classes;  // nearest first
};

// Looks at all pairs: 8,192 ranks take seconds.
TopologyDescription describe(const Fabric& fabric);

}  // namespace moesim
