#pragma once
#include <vector>

#include "traffic/messages.hpp"

namespace moesim {

// What a rank copies for itself; nothing where that is no byte.
inline void add_own_message(std::vector<Message>& messages, std::size_t rank, Bytes bytes) {
    if (bytes == Bytes{}) return;
    Message m;
    m.from = m.to = RankId(rank);
    m.bytes = bytes;
    messages.push_back(std::move(m));
}

}  // namespace moesim
