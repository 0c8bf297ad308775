#include "network/call_links.hpp"

#include <fmt/format.h>

namespace moesim {
namespace {

// Ids after the cluster's own links: two a rank, then one a node.
class CallRouter final : public Router {
  public:
    CallRouter(Fabric fabric, const CallLimits& limits) : fabric_(std::move(fabric)), limits_(limits) {}

    [[nodiscard]] Route route(RankId from, RankId to) const override {
        const bool inside = from != to && !fabric_.crosses_nodes(from, to);
        const bool copies = !inside || limits_.copies_inside;
        Route r;
        if (copies) r.push(copy(from, 0));
        if (from != to) {
            const Route wire = fabric_.route(from, to);
            for (const LinkId link : wire.links()) r.push(link);
        }
        if (inside && limits_.bridge && group(from) != group(to)) r.push(bridge(fabric_.node_of(from)));
        if (copies) r.push(copy(to, 1));
        return r;
    }

  private:
    [[nodiscard]] LinkId copy(RankId rank, std::size_t way) const {
        return LinkId(fabric_.links().size() + 2 * rank.value() + way);
    }
    [[nodiscard]] LinkId bridge(NodeId node) const {
        return LinkId(fabric_.links().size() + 2 * fabric_.ranks() + node.value());
    }
    // Ranks of a node follow each other.
    [[nodiscard]] std::size_t group(RankId rank) const { return rank.value() / limits_.bridge_gpus; }
    Fabric fabric_;
    CallLimits limits_;
};

}  // namespace

Fabric with_call_limits(const Fabric& fabric, const CallLimits& limits) {
    std::vector<Link> links = fabric.links();
    for (Link& link : links) {
        if (link.link_class == LinkClass::nvlink && limits.nvlink) link.capacity = *limits.nvlink;
        if (link.link_class == LinkClass::nic && limits.nic) link.capacity = *limits.nic;
    }
    std::vector<NodeId> node_of;
    for (std::size_t r = 0; r < fabric.ranks(); ++r) {
        node_of.push_back(fabric.node_of(RankId(r)));
        for (const char* way : {"out", "in"})
            links.push_back({fmt::format("gpu{}.copy.{}", r, way), LinkClass::nvlink, limits.copy, Seconds{}});
    }
    if (limits.bridge)
        for (std::size_t n = 0; n < fabric.nodes(); ++n)
            links.push_back({fmt::format("node{}.bridge", n), LinkClass::nvlink, *limits.bridge, Seconds{}});
    return {std::move(links), std::move(node_of), std::make_shared<CallRouter>(fabric, limits)};
}

Profile without_link_losses(Profile profile) {
    for (LinkProfile* p : {&profile.nvlink, &profile.nic}) {
        p->efficiency.value = 1;
        p->half_size.value = Bytes{};
        p->overhead.value = Seconds{};
    }
    return profile;
}

}  // namespace moesim
