#include "network/call_links.hpp"

#include <fmt/format.h>

namespace moesim {
namespace {

// Where the links of one call are among all: some for each rank, then one for each node.
class CallLinks {
  public:
    CallLinks(const CallLimits& limits, std::size_t first, std::size_t ranks)
        : nvlink_(2), nic_(limits.nvlink ? 4 : 2), per_rank_(nic_ + (limits.nic ? 2 : 0)), first_(first),
          bridges_(first + per_rank_ * ranks) {}

    [[nodiscard]] LinkId copy(RankId rank, std::size_t way) const { return of_rank(rank, way); }
    // What is limited: one of the two classes.
    [[nodiscard]] LinkId port(RankId rank, LinkClass link_class, std::size_t way) const {
        return of_rank(rank, (link_class == LinkClass::nvlink ? nvlink_ : nic_) + way);
    }
    [[nodiscard]] LinkId bridge(NodeId node) const { return LinkId(bridges_ + node.value()); }

  private:
    [[nodiscard]] LinkId of_rank(RankId rank, std::size_t which) const {
        return LinkId(first_ + per_rank_ * rank.value() + which);
    }
    std::size_t nvlink_, nic_, per_rank_, first_, bridges_;
};

class CallRouter final : public Router {
  public:
    CallRouter(Fabric cluster, const CallLimits& limits, std::size_t first)
        : cluster_(std::move(cluster)), limits_(limits), links_(limits, first, cluster_.ranks()) {}

    [[nodiscard]] Route route(RankId from, RankId to) const override {
        const bool inside = from != to && !cluster_.crosses_nodes(from, to);
        const bool copies = !inside || limits_.copies_inside;
        Route r;
        if (copies) r.push(links_.copy(from, 0));
        if (from != to) {
            const Route wire = cluster_.route(from, to);
            // A message is held to what its sender's port attains as it leaves, and the receiver's as it arrives.
            push_port(r, from, wire.links().front(), 0);
            for (const LinkId link : wire.links()) r.push(link);
            push_port(r, to, wire.links().back(), 1);
        }
        if (inside && limits_.bridge && group(from) != group(to)) r.push(links_.bridge(cluster_.node_of(from)));
        if (copies) r.push(links_.copy(to, 1));
        return r;
    }

  private:
    void push_port(Route& r, RankId rank, LinkId over, std::size_t way) const {
        const LinkClass link_class = cluster_.link(over).link_class;
        const bool limited =
            (link_class == LinkClass::nvlink && limits_.nvlink) || (link_class == LinkClass::nic && limits_.nic);
        if (limited) r.push(links_.port(rank, link_class, way));
    }
    // Ranks of a node follow each other.
    [[nodiscard]] std::size_t group(RankId rank) const { return rank.value() / limits_.bridge_gpus; }
    Fabric cluster_;
    CallLimits limits_;
    CallLinks links_;
};

// Keeps the routes of the cluster where links are added to it.
class SameRouter final : public Router {
  public:
    explicit SameRouter(Fabric cluster) : cluster_(std::move(cluster)) {}
    [[nodiscard]] Route route(RankId from, RankId to) const override { return cluster_.route(from, to); }

  private:
    Fabric cluster_;
};

void add_call_links(std::vector<Link>& links, const Fabric& cluster, const Call& call) {
    const CallLimits& limits = call.limits;
    const std::string of_call = call.name.empty() ? "" : call.name + ".";
    // What is not between two places begins and ends at one.
    const auto add = [&](const std::string& name, BytesPerSecond capacity, std::size_t rank) {
        links.push_back({name, LinkClass::nvlink, capacity, Seconds{}, VertexId(rank), VertexId(rank)});
    };
    std::vector<std::size_t> first_of_node(cluster.nodes());
    for (std::size_t r = cluster.ranks(); r-- > 0;) first_of_node[cluster.node_of(RankId(r)).value()] = r;
    for (std::size_t r = 0; r < cluster.ranks(); ++r) {
        const auto both = [&](const char* what, BytesPerSecond capacity) {
            for (const char* way : {"out", "in"}) add(fmt::format("gpu{}.{}{}.{}", r, of_call, what, way), capacity, r);
        };
        both("copy", limits.copy);
        if (limits.nvlink) both("nvlink", *limits.nvlink);
        if (limits.nic) both("nic", *limits.nic);
    }
    if (limits.bridge)
        for (std::size_t n = 0; n < cluster.nodes(); ++n)
            add(fmt::format("node{}.{}bridge", n, of_call), *limits.bridge, first_of_node[n]);
}

}  // namespace

WithCalls with_calls(const Fabric& cluster, std::span<const Call> calls) {
    FabricParts parts{cluster.vertices(), cluster.links(), {}, {}};
    for (std::size_t r = 0; r < cluster.ranks(); ++r) {
        parts.node_of.push_back(cluster.node_of(RankId(r)));
        parts.speed.push_back(cluster.speed(RankId(r)));
    }
    std::vector<std::shared_ptr<const Router>> routers;
    for (const Call& call : calls) {
        routers.push_back(std::make_shared<CallRouter>(cluster, call.limits, parts.links.size()));
        add_call_links(parts.links, cluster, call);
    }
    const Fabric others(parts, std::make_shared<SameRouter>(cluster));
    // What a call's laws were fitted to has the latencies of its wires in it.
    for (Link& link : parts.links) link.latency = Seconds{};
    WithCalls all{others, {}};
    for (auto& router : routers) all.calls.emplace_back(parts, std::move(router));
    return all;
}

Fabric with_call_limits(const Fabric& cluster, const CallLimits& limits) {
    const Call call{"", limits};
    return std::move(with_calls(cluster, std::span(&call, 1)).calls.front());
}

Profile without_link_losses(Profile profile) {
    for (LinkProfile* p : {&profile.nvlink, &profile.nic, profile.pcie ? &*profile.pcie : nullptr}) {
        if (p == nullptr) continue;
        p->efficiency.value = 1;
        p->half_size.value = Bytes{};
        p->overhead.value = Seconds{};
        p->gap.reset();
    }
    return profile;
}

}  // namespace moesim
