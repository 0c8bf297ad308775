#include "network/library/deepep_normal_call.hpp"

#include "network/library/own_message.hpp"

namespace moesim {

CallMessages DeepEpNormalLibraryCall::carry(std::vector<Message> messages, const Exchange& exchange) const {
    const std::size_t ranks = exchange.tokens.size();
    CallMessages c;
    c.messages = std::move(messages);
    // The rows that the law counts: those of (token, GPU) pairs inside a node, of (token, node) pairs across nodes.
    const std::vector<std::int64_t>& own = call_.across_nodes ? exchange.home_rows : exchange.local_rows;
    std::vector<Bytes> counted(ranks);
    for (Message& m : c.messages) {
        m.along = std::move(m.after);
        m.after.clear();
        m.waits_for_issue = true;  // the forwarder's kernel forwards
        if (!call_.across_nodes || fabric_.crosses_nodes(m.from, m.to)) counted[m.from.value()] += m.bytes;
    }
    for (std::size_t r = 0; r < ranks; ++r) {
        const Bytes at_home = call_.row * own[r];
        const double rows = (counted[r] + at_home).as_double() / call_.row.as_double();
        c.start_up.push_back(deepep_normal_start_up(phase_, call_, rows));
        c.least.push_back(deepep_normal_least(phase_, call_, call_.row * exchange.tokens[r]));
        add_own_message(c.messages, r, at_home);
    }
    return c;
}

}  // namespace moesim
