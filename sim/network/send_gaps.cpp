#include "network/send_gaps.hpp"

#include <algorithm>

namespace moesim {

Seconds SendGaps::add(RankId from, const Route& route, std::int64_t parts) {
    const Seconds gap = messages_.gap(route);
    if (gap == Seconds{}) return {};
    Seconds& sum = sums_[{from, messages_.class_of(route)}];
    const Seconds begins = sum + gap * static_cast<double>(parts - 1);
    sum = begins + gap;
    last_ = std::max(last_, begins);
    return begins;
}

void SendGaps::clear() {
    sums_.clear();
    last_ = {};
}

}  // namespace moesim
