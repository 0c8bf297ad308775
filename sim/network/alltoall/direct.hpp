#pragma once
#include "network/alltoall/all_to_all.hpp"

namespace moesim {

// All pairs at once, one message each, as one fused dispatch kernel does that writes to all its peers. With
// deduplication by node the copies that cross are forwarded, as `rail` does.
class DirectAllToAll final : public AllToAll {};

}  // namespace moesim
