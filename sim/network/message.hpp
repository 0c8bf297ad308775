#pragma once
// What a message meets on its way: a start-up time, and links of a usable capacity.
#include <vector>

#include "base/units.hpp"
#include "config/profile.hpp"
#include "topology/fabric.hpp"

namespace moesim {

class MessageModel {
  public:
    // Throws InputError where the fabric has PCIe links and the profile says nothing of them. `capped`: the network
    // shares out links at other capacities than these, so that each message has to be held to what it attains.
    MessageModel(const Fabric& fabric, const Profile& profile, bool capped = false);

    // Usable rate of each link: its capacity times the efficiency of its class.  [link]
    [[nodiscard]] const std::vector<BytesPerSecond>& capacity() const { return capacity_; }
    [[nodiscard]] BytesPerSecond capacity(LinkId link) const { return capacity_[link.value()]; }
    // Time before a message takes its share of the links: the class's overhead, the latencies of the route, and
    // half_size / c, c the least usable capacity on the route. A message of n bytes that is alone so reaches
    // c n / (n + half_size) once it moves (Hockney's n_1/2; Hockney and Jesshope, "Parallel Computers 2", 1988).
    [[nodiscard]] Seconds latency(const Route& route) const;
    // The least usable capacity on the route: what one message alone moves at.
    [[nodiscard]] BytesPerSecond narrowest(const Route& route) const;
    // What a message on the route has to be held to.
    [[nodiscard]] BytesPerSecond cap(const Route& route) const { return capped_ ? narrowest(route) : unlimited; }

    // The slowest class on the route: nic where it leaves the node, else pcie, else nvlink.
    [[nodiscard]] LinkClass class_of(const Route& route) const;
    [[nodiscard]] const LinkProfile& profile_of(const Route& route) const { return profile_of(class_of(route)); }
    // The profile's `gap` of that class; 0 where it has none.
    [[nodiscard]] Seconds gap(const Route& route) const;

  private:
    const Fabric& fabric_;
    [[nodiscard]] const LinkProfile& profile_of(LinkClass link_class) const;
    LinkProfile nvlink_, nic_;
    std::optional<LinkProfile> pcie_;
    std::vector<BytesPerSecond> capacity_;
    bool capped_;
};

}  // namespace moesim
