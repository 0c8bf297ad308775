#pragma once
// Exchanges made by hand or at random, and what they take on the simulated cluster.
#include "config/scenario.hpp"
#include "network/alltoall/all_to_all.hpp"
#include "traffic/exchange.hpp"

namespace moesim::test {

// Every rank has `rows` rows for every other one of its expert group, and for itself none.
Exchange even_exchange(const RankGrid& grid, std::int64_t rows);

// When each message has arrived on the simulated cluster, in seconds from the common start of all ranks.  [message]
std::vector<double> arrivals_of(const std::vector<Message>& messages, const TopologySpec& topology,
                                const Profile& profile);

// The last of these.
double time_of(const std::vector<Message>& messages, const TopologySpec& topology, const Profile& profile);

// Tokens with random experts, counted with the deduplication of the scenario's dispatch or with another one. The same
// for the same seed.
Exchange random_exchange(const Scenario& scenario, const Fabric& fabric, Dedup dedup, std::uint64_t seed);

}  // namespace moesim::test
