#include "traffic/messages.hpp"

namespace moesim {

std::vector<Message> dispatch_messages(const Exchange& exchange, Bytes row) {
    std::vector<Message> all;
    all.reserve(exchange.hops.size());
    for (const Hop& hop : exchange.hops) {
        Message m{hop.from, hop.to, row * hop.rows, hop.after == Hop::none, {}};
        if (hop.after != Hop::none) m.after.push_back(static_cast<std::uint32_t>(hop.after));
        all.push_back(std::move(m));
    }
    return all;
}

std::vector<Message> return_messages(const Exchange& exchange, Bytes row) {
    const std::size_t n = exchange.hops.size();
    std::vector<Message> all(n);
    // A hop comes after the one that it forwards, so the last hop returns first.
    for (std::size_t i = 0; i < n; ++i) {
        const Hop& hop = exchange.hops[i];
        Message& back = all[n - 1 - i];
        back.from = hop.to;
        back.to = hop.from;
        back.bytes = row * hop.rows;
        if (hop.after != Hop::none)
            all[n - 1 - static_cast<std::size_t>(hop.after)].after.push_back(static_cast<std::uint32_t>(n - 1 - i));
    }
    return all;
}

}  // namespace moesim
