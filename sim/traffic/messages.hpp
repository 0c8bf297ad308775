#pragma once
// An exchange as messages: what is sent, and what each message has to wait for.
#include <vector>

#include "base/ids.hpp"
#include "base/units.hpp"
#include "traffic/exchange.hpp"

namespace moesim {

struct Message {
    RankId from, to;
    Bytes bytes;
    bool waits_for_issue = true;       // for the sender to start the collective
    std::vector<std::uint32_t> after;  // earlier messages of the list that have to arrive first
    // Earlier messages, which wait for no other, that it sends on as they come in: it starts once all of their senders
    // have begun, and its receiver does not end before they have arrived.
    std::vector<std::uint32_t> along{};
    Seconds delay{};                 // from the last of those waits to its start: what the sender still has to do
    BytesPerSecond cap = unlimited;  // the most that it gets of its links
    std::int64_t parts = 1;          // messages of the network that it stands for, which are sent as one flow
};

// The same messages backwards: from each receiver to its sender, the last one first. What a message waited for now
// waits for it, and every sender has results of its own to wait for.
std::vector<Message> mirrored(const std::vector<Message>& messages);

// Dispatch: every hop, a forwarding one after the hop that it forwards.
std::vector<Message> dispatch_messages(const Exchange& exchange, Bytes row);

// Return: every hop backwards. Results of a GPU that was reached by forwarding go to the forwarder, which adds up what
// belongs to one token and sends one row a token on: after all that it waits for, and its own start.
std::vector<Message> return_messages(const Exchange& exchange, Bytes row);

}  // namespace moesim
