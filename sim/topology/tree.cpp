#include "topology/tree.hpp"

#include <fmt/format.h>

#include "topology/network_router.hpp"
#include "topology/uplinks.hpp"

namespace moesim {
namespace {

class NodeRouter final : public NetworkRouter {
  public:
    using NetworkRouter::NetworkRouter;

  private:
    void cross(Route& /*route*/, RankId /*from*/, RankId /*to*/) const override {}  // there is one node
};

// Leaves 0.. of `gpus_per_leaf` each, and upper switches that are linked to all of them.
class FatTreeRouter final : public NetworkRouter {
  public:
    FatTreeRouter(Nodes nodes, std::size_t gpus_per_leaf, Uplinks uplinks)
        : NetworkRouter(std::move(nodes)), gpus_per_leaf_(gpus_per_leaf), uplinks_(uplinks) {}

  private:
    void cross(Route& route, RankId from, RankId to) const override {
        const std::size_t a = from.value() / gpus_per_leaf_, b = to.value() / gpus_per_leaf_;
        if (a == b) return;
        const std::size_t way = equal_path(from, to, uplinks_.ways());
        route.push(uplinks_.up(a, way));
        route.push(uplinks_.down(b, way));
    }
    std::size_t gpus_per_leaf_;
    Uplinks uplinks_;
};

class ClosRouter final : public NetworkRouter {
  public:
    // core_uplinks: of the pods' aggregation switches; a pod's are together one lower switch with a way to each core.
    ClosRouter(Nodes nodes, std::size_t gpus_per_leaf, std::size_t leaves_per_pod, Uplinks uplinks,
               Uplinks core_uplinks)
        : NetworkRouter(std::move(nodes)), gpus_per_leaf_(gpus_per_leaf), leaves_per_pod_(leaves_per_pod),
          uplinks_(uplinks), core_uplinks_(core_uplinks) {}

  private:
    void cross(Route& route, RankId from, RankId to) const override {
        const std::size_t a = from.value() / gpus_per_leaf_, b = to.value() / gpus_per_leaf_;
        if (a == b) return;
        const std::size_t pod_a = a / leaves_per_pod_, pod_b = b / leaves_per_pod_;
        if (pod_a == pod_b) {
            const std::size_t way = equal_path(from, to, uplinks_.ways());
            route.push(uplinks_.up(a, way));
            route.push(uplinks_.down(b, way));
            return;
        }
        const std::size_t core = equal_path(from, to, core_uplinks_.ways());
        const std::size_t aggregation = core * uplinks_.ways() / core_uplinks_.ways();
        route.push(uplinks_.up(a, aggregation));
        route.push(core_uplinks_.up(pod_a, core));
        route.push(core_uplinks_.down(pod_b, core));
        route.push(uplinks_.down(b, aggregation));
    }
    std::size_t gpus_per_leaf_, leaves_per_pod_;
    Uplinks uplinks_, core_uplinks_;
};

// Adds `count` switches of the network; gives back the first one's vertex.
std::size_t add_switches(FabricBuilder& builder, const char* name, std::size_t count, bool numbered = true) {
    const std::size_t first = builder.parts.vertices.size();
    for (std::size_t s = 0; s < count; ++s) builder.add_vertex(numbered ? fmt::format("{}{}", name, s) : name);
    return first;
}

auto numbered(const char* name) {
    return [name](std::size_t n) { return fmt::format("{}{}", name, n); };
}

}  // namespace

Fabric build_tree(const TopologySpec& t) {
    FabricBuilder builder;
    if (t.one_node()) {
        Nodes nodes(t, builder, nullptr);
        return {std::move(builder.parts), std::make_shared<NodeRouter>(std::move(nodes))};
    }
    const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    const std::size_t leaves = size(t.leaves()), per_leaf = size(t.nodes_per_leaf * t.gpus_per_node);
    std::size_t first_leaf = 0;
    const auto attach = [&](RankId gpu) {  // the leaves are added with the first GPU's NIC, after the nodes' vertices
        if (gpu == RankId(0)) first_leaf = add_switches(builder, "leaf", leaves);
        return VertexId(first_leaf + gpu.value() / per_leaf);
    };
    Nodes nodes(t, builder, attach);
    const auto leaf = [&](std::size_t l, std::size_t) { return VertexId(first_leaf + l); };
    const bool hash = t.equal_paths == EqualPaths::hash;
    if (t.kind == TopologyKind::fat_tree) {
        const std::size_t spines = hash ? size(t.spines) : 1;
        const std::size_t spine = add_switches(builder, "spine", spines, hash);
        const Uplinks uplinks(builder, t.uplink, leaves, spines, numbered("leaf"), leaf,
                              [&](std::size_t, std::size_t way) { return VertexId(spine + way); });
        return {std::move(builder.parts), std::make_shared<FatTreeRouter>(std::move(nodes), per_leaf, uplinks)};
    }
    const ClosSpec& c = t.clos;
    const std::size_t per_pod = size(c.leaves_per_pod), pods = (leaves + per_pod - 1) / per_pod;
    const std::size_t aggregations = hash ? size(c.aggregations) : 1, cores = hash ? size(c.cores) : 1;
    const std::size_t aggregation = builder.parts.vertices.size();
    for (std::size_t p = 0; p < pods; ++p)
        for (std::size_t s = 0; s < aggregations; ++s)
            builder.add_vertex(hash ? fmt::format("pod{}.aggregation{}", p, s) : fmt::format("pod{}.aggregation", p));
    const std::size_t core = add_switches(builder, "core", cores, hash);
    const Uplinks uplinks(
        builder, t.uplink, leaves, aggregations, numbered("leaf"), leaf,
        [&](std::size_t l, std::size_t way) { return VertexId(aggregation + l / per_pod * aggregations + way); });
    // Which of a pod's switches the link to a core comes from depends on the core: a pod is one lower switch here.
    const Uplinks core_uplinks(
        builder, c.core_uplink, pods, cores, numbered("pod"),
        [&](std::size_t p, std::size_t way) {
            return VertexId(aggregation + p * aggregations + way * aggregations / cores);
        },
        [&](std::size_t, std::size_t way) { return VertexId(core + way); });
    return {std::move(builder.parts),
            std::make_shared<ClosRouter>(std::move(nodes), per_leaf, per_pod, uplinks, core_uplinks)};
}

}  // namespace moesim
