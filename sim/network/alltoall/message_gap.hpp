#pragma once
#include <span>

#include "network/message.hpp"
#include "traffic/messages.hpp"

namespace moesim {

// Lets each rank begin its messages, for each class of links apart, no less than the model's gap after the one before,
// with as many gaps for a message as it has parts. First come those that wait for nothing but their collective, in turn
// from that to the next rank on (were all to begin with the same rank, its links would be busy first and others idle),
// then the others in the order of the list. It does so by delays: of the first ones all gaps before them; of later ones
// of a window what is left of the gaps when the message that they wait for has arrived, which takes as long as it takes
// alone at least; of those that wait for the same messages of others, the gaps among themselves. A message of several
// parts begins with its last one, as if the others went with it.
void keep_message_gaps(std::span<Message> messages, const MessageModel& model);

}  // namespace moesim
