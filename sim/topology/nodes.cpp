#include "topology/nodes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {
namespace {

// What is a GPU's own, after all overrides.
struct GpuSpec {
    LinkSpec local, nic;
    double speed = 1;
};

std::vector<GpuSpec> gpu_specs(const TopologySpec& t) {
    const LinkSpec local = t.pcie ? t.pcie->gpu : t.nvlink;
    std::vector<GpuSpec> all(static_cast<std::size_t>(t.gpus()), GpuSpec{local, t.nic});
    for (const OverrideSpec& s : t.overrides)
        for (const std::int64_t node : s.nodes) {
            const auto apply = [&](std::int64_t index) {
                GpuSpec& gpu = all[static_cast<std::size_t>(node * t.gpus_per_node + index)];
                if (const auto& own = t.pcie ? s.pcie : s.nvlink) gpu.local = *own;
                if (s.nic) gpu.nic = *s.nic;
                if (s.speed) gpu.speed = *s.speed;
            };
            for (const std::int64_t index : s.gpus) apply(index);
            for (std::int64_t index = 0; s.gpus.empty() && index < t.gpus_per_node; ++index) apply(index);
        }
    return all;
}

}  // namespace

Nodes::Nodes(const TopologySpec& t, FabricBuilder& builder, const std::function<VertexId(RankId)>& attach)
    : gpus_per_node_(static_cast<std::size_t>(t.gpus_per_node)), local_(t.pcie || t.has_nvswitch()), pcie_(t.pcie),
      network_(attach != nullptr), links_per_gpu_((local_ ? 2U : 0U) + (network_ ? 2U : 0U)) {
    if (pcie_) {
        sockets_ = static_cast<std::size_t>(t.pcie->sockets);
        switches_ = static_cast<std::size_t>(t.pcie->switches());
    }
    const auto nodes = static_cast<std::size_t>(std::max<std::int64_t>(t.nodes, 1));
    const std::vector<GpuSpec> specs = gpu_specs(t);
    for (std::size_t g = 0; g < specs.size(); ++g) {
        builder.add_vertex(fmt::format("gpu{}", g), NodeId(g / gpus_per_node_));
        builder.parts.node_of.emplace_back(g / gpus_per_node_);
        builder.parts.speed.push_back(specs[g].speed);
    }
    node_vertices_ = builder.parts.vertices.size();
    for (std::size_t n = 0; n < nodes && local_; ++n) add_vertices(n, builder);
    const std::size_t a_node = (builder.parts.vertices.size() - node_vertices_) / nodes;
    for (std::size_t g = 0; g < specs.size(); ++g) {
        const VertexId gpu(g);
        const VertexId hub(node_vertices_ + g / gpus_per_node_ * a_node + (pcie_ ? switch_of(RankId(g)) : 0));
        if (local_)
            builder.add_pair(fmt::format("gpu{}.{}", g, pcie_ ? "pcie" : "nvlink"),
                             pcie_ ? LinkClass::pcie : LinkClass::nvlink, specs[g].local, gpu, hub);
        if (network_)
            builder.add_pair(fmt::format("gpu{}.nic", g), LinkClass::nic, specs[g].nic, pcie_ ? hub : gpu,
                             attach(RankId(g)));
    }
    node_links_ = builder.links();
    for (std::size_t n = 0; n < nodes && pcie_; ++n) add_pcie(t, n, node_vertices_ + n * a_node, builder);
    links_per_node_ = (builder.links() - node_links_) / nodes;
    for (std::size_t b = 0; b < t.bridges.size(); ++b) {
        bridge_.resize(gpus_per_node_ * gpus_per_node_, -1);
        const auto low = static_cast<std::size_t>(t.bridges[b].a), high = static_cast<std::size_t>(t.bridges[b].b);
        const std::size_t first = links_per_node_ - 2 * (t.bridges.size() - b);
        bridge_[low * gpus_per_node_ + high] = static_cast<std::int32_t>(first);
        bridge_[high * gpus_per_node_ + low] = static_cast<std::int32_t>(first + 1);
    }
}

void Nodes::add_vertices(std::size_t node, FabricBuilder& builder) const {
    if (!pcie_) builder.add_vertex(fmt::format("node{}.nvswitch", node), NodeId(node));
    for (std::size_t s = 0; pcie_ && s < switches_; ++s)
        builder.add_vertex(fmt::format("node{}.pcie{}", node, s), NodeId(node));
    for (std::size_t s = 0; switches_ > 1 && s < sockets_; ++s)
        builder.add_vertex(fmt::format("node{}.socket{}", node, s), NodeId(node));
}

// A node's own links: its switches to their sockets and back, each socket to each other one, and bridges last.
void Nodes::add_pcie(const TopologySpec& t, std::size_t node, std::size_t first_vertex, FabricBuilder& builder) const {
    const auto socket = [&](std::size_t s) { return VertexId(first_vertex + switches_ + s); };
    for (std::size_t s = 0; switches_ > 1 && s < switches_; ++s)
        builder.add_pair(fmt::format("node{}.pcie{}", node, s), LinkClass::pcie, *t.pcie->host,
                         VertexId(first_vertex + s), socket(s * sockets_ / switches_));
    for (std::size_t a = 0; a < sockets_; ++a)
        for (std::size_t b = 0; b < sockets_; ++b)
            if (a != b)
                builder.add_link(fmt::format("node{}.socket{}-socket{}", node, a, b), LinkClass::pcie, *t.pcie->socket,
                                 socket(a), socket(b));
    for (const BridgeSpec& b : t.bridges) {
        const auto low = node * gpus_per_node_ + static_cast<std::size_t>(b.a),
                   high = node * gpus_per_node_ + static_cast<std::size_t>(b.b);
        builder.add_pair(fmt::format("gpu{}-gpu{}", low, high), LinkClass::nvlink, b.link, VertexId(low),
                         VertexId(high));
    }
}

void Nodes::inside(Route& route, RankId from, RankId to) const {
    const std::size_t own = node_links_ + node_of(from) * links_per_node_;
    if (!bridge_.empty()) {
        const std::int32_t bridge = bridge_[index(from) * gpus_per_node_ + index(to)];
        if (bridge >= 0) return route.push(LinkId(own + static_cast<std::size_t>(bridge)));
    }
    route.push(of_gpu(from, 0));
    if (pcie_ && switch_of(from) != switch_of(to)) {
        const std::size_t a = switch_of(from) * sockets_ / switches_, b = switch_of(to) * sockets_ / switches_;
        route.push(LinkId(own + 2 * switch_of(from)));
        if (a != b) route.push(LinkId(own + 2 * switches_ + a * (sockets_ - 1) + (b < a ? b : b - 1)));
        route.push(LinkId(own + 2 * switch_of(to) + 1));
    }
    route.push(of_gpu(to, 1));
}

void Nodes::leave(Route& route, RankId from) const {
    if (pcie_) route.push(of_gpu(from, 0));
    route.push(of_gpu(from, local_ ? 2 : 0));
}

void Nodes::enter(Route& route, RankId to) const {
    route.push(of_gpu(to, local_ ? 3 : 1));
    if (pcie_) route.push(of_gpu(to, 1));
}

}  // namespace moesim
