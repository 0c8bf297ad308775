#include "network/message.hpp"

#include <algorithm>
#include <limits>

namespace moesim {

MessageModel::MessageModel(const Fabric& fabric, const Profile& profile)
    : fabric_(fabric), nvlink_(profile.nvlink), nic_(profile.nic) {
    capacity_.reserve(fabric.links().size());
    for (const Link& link : fabric.links()) {
        const double efficiency =
            link.link_class == LinkClass::nvlink ? nvlink_.efficiency.value : nic_.efficiency.value;
        capacity_.push_back(link.capacity * efficiency);
    }
}

const LinkProfile& MessageModel::profile_of(const Route& route) const {
    const auto links = route.links();
    const bool inside = std::all_of(links.begin(), links.end(),
                                    [&](LinkId id) { return fabric_.link(id).link_class == LinkClass::nvlink; });
    return inside ? nvlink_ : nic_;
}

Seconds MessageModel::latency(const Route& route) const {
    const LinkProfile& p = profile_of(route);
    return p.overhead.value + fabric_.latency(route) + p.half_size.value / narrowest(route);
}

BytesPerSecond MessageModel::narrowest(const Route& route) const {
    BytesPerSecond least(std::numeric_limits<double>::infinity());
    for (const LinkId id : route.links()) least = std::min(least, capacity(id));
    return least;
}

}  // namespace moesim
