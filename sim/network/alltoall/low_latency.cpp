#include "network/alltoall/low_latency.hpp"

namespace moesim {

std::vector<Message> LowLatencyAllToAll::messages(const Exchange& exchange, Bytes row) const {
    std::vector<Message> all = dispatch_messages(exchange, row);
    for (std::size_t i = 0; i < all.size(); ++i) all[i].parts = exchange.hops[i].rows;
    return all;
}

}  // namespace moesim
