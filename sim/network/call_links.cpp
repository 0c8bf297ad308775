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
    FabricParts parts{fabric.vertices(), fabric.links(), {}, {}};
    for (Link& link : parts.links) {
        if (link.link_class == LinkClass::nvlink && limits.nvlink) link.capacity = *limits.nvlink;
        if (link.link_class == LinkClass::nic && limits.nic) link.capacity = *limits.nic;
    }
    // What is not between two places begins and ends at one.
    const auto inside = [&](const std::string& name, BytesPerSecond capacity, std::size_t rank) {
        parts.links.push_back({name, LinkClass::nvlink, capacity, Seconds{}, VertexId(rank), VertexId(rank)});
    };
    std::vector<std::size_t> first_of_node(fabric.nodes());
    for (std::size_t r = fabric.ranks(); r-- > 0;) first_of_node[fabric.node_of(RankId(r)).value()] = r;
    for (std::size_t r = 0; r < fabric.ranks(); ++r) {
        parts.node_of.push_back(fabric.node_of(RankId(r)));
        parts.speed.push_back(fabric.speed(RankId(r)));
        for (const char* way : {"out", "in"}) inside(fmt::format("gpu{}.copy.{}", r, way), limits.copy, r);
    }
    if (limits.bridge)
        for (std::size_t n = 0; n < fabric.nodes(); ++n)
            inside(fmt::format("node{}.bridge", n), *limits.bridge, first_of_node[n]);
    return {std::move(parts), std::make_shared<CallRouter>(fabric, limits)};
}

Profile without_link_losses(Profile profile) {
    for (LinkProfile* p : {&profile.nvlink, &profile.nic, profile.pcie ? &*profile.pcie : nullptr}) {
        if (p == nullptr) continue;
        p->efficiency.value = 1;
        p->half_size.value = Bytes{};
        p->overhead.value = Seconds{};
    }
    return profile;
}

}  // namespace moesim
