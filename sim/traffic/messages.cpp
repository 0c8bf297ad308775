#include "traffic/messages.hpp"

namespace moesim {

std::vector<Message> dispatch_messages(const Exchange& exchange, Bytes row) {
    std::vector<Message> all;
    all.reserve(exchange.hops.size());
    for (const Hop& hop : exchange.hops) {
        Message m;
        m.from = hop.from;
        m.to = hop.to;
        m.bytes = row * hop.rows;
        m.waits_for_issue = hop.after == Hop::none;
        if (hop.after != Hop::none) m.after.push_back(static_cast<std::uint32_t>(hop.after));
        all.push_back(std::move(m));
    }
    return all;
}

std::vector<Message> mirrored(const std::vector<Message>& messages) {
    const std::size_t n = messages.size();
    std::vector<Message> all(n);
    for (std::size_t i = 0; i < n; ++i) {
        const Message& m = messages[i];
        Message& back = all[n - 1 - i];
        back.from = m.to;
        back.to = m.from;
        back.bytes = m.bytes;
        back.cap = m.cap;
        back.parts = m.parts;
        for (const std::uint32_t before : m.after)
            all[n - 1 - before].after.push_back(static_cast<std::uint32_t>(n - 1 - i));
    }
    return all;
}

std::vector<Message> return_messages(const Exchange& exchange, Bytes row) {
    return mirrored(dispatch_messages(exchange, row));
}

}  // namespace moesim
