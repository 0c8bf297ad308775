#pragma once
#include <span>

#include "network/message.hpp"
#include "traffic/messages.hpp"

namespace moesim {

// Where `to` comes among those that `from` sends to at once: every rank begins with the one after it. Were all to begin
// with the same one, its links would be busy first and others idle.
inline std::size_t turn_of(RankId from, RankId to, std::size_t ranks) {
    return (to.value() + ranks - from.value()) % ranks;
}

// Lets each rank begin its messages, for each class of links apart, no less than the model's gap after the one before,
// with as many gaps for a message as it has parts. First come those that wait for nothing but their collective, in turn
// (turn_of), then the others in the order of the list. It does so by delays: of the first ones all gaps before them; of
// later ones of a window what is left of the gaps when the message that they wait for has arrived, which takes as long
// as it takes alone at least; of those that wait for the same messages of others, the gaps among themselves. A message
// of several parts begins with its last one, as if the others went with it.
void keep_message_gaps(std::span<Message> messages, const MessageModel& model);

}  // namespace moesim
