#include "network/library/deepep_low_latency_call.hpp"

#include "network/library/own_message.hpp"

namespace moesim {

CallMessages DeepEpLowLatencyLibraryCall::carry(std::vector<Message> messages, const Exchange& exchange) const {
    const std::size_t ranks = exchange.tokens.size();
    CallMessages c;
    c.messages = std::move(messages);
    c.start_up.assign(ranks, deepep_low_latency_start_up(phase_, call_));
    c.least.resize(ranks);
    for (std::size_t r = 0; r < ranks; ++r) add_own_message(c.messages, r, call_.row * exchange.local_rows[r]);
    return c;
}

}  // namespace moesim
