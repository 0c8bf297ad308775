#pragma once
// The closed-form bound on any exchange: no schedule beats its busiest link.
#include <span>
#include <vector>

#include "network/message.hpp"

namespace moesim {

// One message of an exchange.
struct Transfer {
    RankId from, to;
    Bytes bytes;
};

// Adds up what transfers put on links. Reused between exchanges without touching links that carry nothing.
class LinkLoads {
  public:
    LinkLoads(const Fabric& fabric, const MessageModel& messages)
        : fabric_(fabric), messages_(messages), bytes_(fabric.links().size()) {}

    void add(const Transfer& transfer);
    // max over links of bytes / usable capacity; 0 without transfers. No exchange ends sooner than this after the
    // first of its bytes moves.
    [[nodiscard]] Seconds busiest() const;
    void clear();

  private:
    const Fabric& fabric_;
    const MessageModel& messages_;
    std::vector<Bytes> bytes_;     // [link]
    std::vector<LinkId> touched_;  // links with bytes
};

// The bound of one exchange whose transfers all start together.
Seconds busiest_link_time(const Fabric& fabric, const MessageModel& messages, std::span<const Transfer> transfers);

}  // namespace moesim
