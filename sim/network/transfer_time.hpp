#pragma once
// How long transfers take that start together and have the fabric to themselves.
#include <span>

#include "network/busiest_link.hpp"

namespace moesim {

// Until the last of them has arrived. Each takes its share of the links after its start-up (MessageModel::latency), and
// after one gap (MessageModel::gap) for each earlier one of its sender over the same class of links;
// shares are max-min fair, those of a FluidNetwork with this tolerance, so that SimGrid's clock is not needed. What
// stays on its rank, or has no bytes, takes no time; 0 without transfers.
Seconds transfer_time(const Fabric& fabric, const MessageModel& messages, std::span<const Transfer> transfers,
                      double tolerance);

}  // namespace moesim
