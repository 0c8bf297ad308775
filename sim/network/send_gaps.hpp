#pragma once
// The least time that senders need for the gaps between their messages (MessageModel::gap), each class of links for
// itself.
#include <map>
#include <utility>

#include "network/message.hpp"

namespace moesim {

// Reused between exchanges.
class SendGaps {
  public:
    explicit SendGaps(const MessageModel& messages) : messages_(messages) {}

    // How long after its sender's first message this one can begin at the earliest, the last of its parts, if it is
    // sent after all those of the sender that were added before.
    Seconds add(RankId from, const Route& route, std::int64_t parts = 1);
    // The same of that sender's message, of all senders', that begins last, in whatever order they are sent.
    [[nodiscard]] Seconds last() const { return last_; }
    void clear();

  private:
    const MessageModel& messages_;
    std::map<std::pair<RankId, LinkClass>, Seconds> sums_;
    Seconds last_;
};

}  // namespace moesim
