#include "network/message.hpp"

#include <algorithm>
#include <limits>

#include "base/error.hpp"

namespace moesim {

MessageModel::MessageModel(const Fabric& fabric, const Profile& profile, bool capped)
    : fabric_(fabric), nvlink_(profile.nvlink), nic_(profile.nic), pcie_(profile.pcie), capped_(capped) {
    capacity_.reserve(fabric.links().size());
    for (const Link& link : fabric.links()) {
        if (link.link_class == LinkClass::pcie && !pcie_) throw InputError(lacks_pcie(profile));
        capacity_.push_back(link.capacity * profile_of(link.link_class).efficiency.value);
    }
}

const LinkProfile& MessageModel::profile_of(LinkClass link_class) const {
    if (link_class == LinkClass::pcie) return *pcie_;
    return link_class == LinkClass::nvlink ? nvlink_ : nic_;
}

LinkClass MessageModel::class_of(const Route& route) const {
    const auto links = route.links();
    bool pcie = false;
    for (const LinkId id : links) {
        const LinkClass link_class = fabric_.link(id).link_class;
        if (link_class != LinkClass::nvlink && link_class != LinkClass::pcie) return LinkClass::nic;
        pcie |= link_class == LinkClass::pcie;
    }
    return pcie ? LinkClass::pcie : LinkClass::nvlink;
}

Seconds MessageModel::gap(const Route& route) const {
    const auto& gap = profile_of(route).gap;
    return gap ? gap->value : Seconds{};
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
