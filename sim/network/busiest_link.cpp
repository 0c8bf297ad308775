#include "network/busiest_link.hpp"

#include <algorithm>

namespace moesim {

void LinkLoads::add(const Transfer& transfer) {
    const Route route = fabric_.route(transfer.from, transfer.to);
    for (const LinkId link : route.links()) {
        Bytes& load = bytes_[link.value()];
        if (load == Bytes{}) touched_.push_back(link);
        load += transfer.bytes;
    }
}

Seconds LinkLoads::busiest() const {
    Seconds longest;
    for (const LinkId link : touched_) longest = std::max(longest, bytes_[link.value()] / messages_.capacity(link));
    return longest;
}

void LinkLoads::clear() {
    for (const LinkId link : touched_) bytes_[link.value()] = Bytes{};
    touched_.clear();
}

Seconds busiest_link_time(const Fabric& fabric, const MessageModel& messages, std::span<const Transfer> transfers) {
    LinkLoads loads(fabric, messages);
    for (const Transfer& t : transfers) loads.add(t);
    return loads.busiest();
}

}  // namespace moesim
