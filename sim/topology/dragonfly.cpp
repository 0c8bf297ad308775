#include "topology/dragonfly.hpp"

#include <fmt/format.h>

#include "topology/network_router.hpp"

namespace moesim {
namespace {

// Local links first, group by group, from each router to each other one; then global links, group by group.
struct DragonflyLayout {
    std::size_t groups, routers, global_links;  // routers of a group, global links of a router
    std::size_t first = 0;                      // link

    explicit DragonflyLayout(const DragonflySpec& d)
        : groups(static_cast<std::size_t>(d.groups)), routers(static_cast<std::size_t>(d.routers_per_group)),
          global_links(static_cast<std::size_t>(d.global_links_per_router)) {}

    // The router of group i that has its link to group j.
    [[nodiscard]] std::size_t gateway(std::size_t i, std::size_t j) const { return (j < i ? j : j - 1) / global_links; }
    [[nodiscard]] LinkId local(std::size_t group, std::size_t from, std::size_t to) const {
        return LinkId(first + (group * routers + from) * (routers - 1) + (to < from ? to : to - 1));
    }
    [[nodiscard]] LinkId global(std::size_t from, std::size_t to) const {
        return LinkId(first + groups * routers * (routers - 1) + from * (groups - 1) + (to < from ? to : to - 1));
    }
};

class DragonflyRouter final : public NetworkRouter {
  public:
    DragonflyRouter(Nodes nodes, const DragonflyLayout& layout, std::size_t gpus_per_router)
        : NetworkRouter(std::move(nodes)), layout_(layout), gpus_per_router_(gpus_per_router) {}

  private:
    void cross(Route& route, RankId from, RankId to) const override {
        const std::size_t router_a = from.value() / gpus_per_router_, router_b = to.value() / gpus_per_router_;
        const std::size_t i = router_a / layout_.routers, j = router_b / layout_.routers;
        const std::size_t a = router_a % layout_.routers, b = router_b % layout_.routers;
        if (i == j) return local(route, i, a, b);
        local(route, i, a, layout_.gateway(i, j));
        route.push(layout_.global(i, j));
        local(route, j, layout_.gateway(j, i), b);
    }
    void local(Route& route, std::size_t group, std::size_t from, std::size_t to) const {
        if (from != to) route.push(layout_.local(group, from, to));
    }
    DragonflyLayout layout_;
    std::size_t gpus_per_router_;
};

}  // namespace

Fabric build_dragonfly(const TopologySpec& t) {
    FabricBuilder builder;
    DragonflyLayout layout(t.dragonfly);
    const auto per_router = static_cast<std::size_t>(t.dragonfly.nodes_per_router * t.gpus_per_node);
    std::size_t first_router = 0;
    const auto name = [](std::size_t group, std::size_t router) {
        return fmt::format("group{}.router{}", group, router);
    };
    const auto attach = [&](RankId gpu) {
        if (gpu == RankId(0)) {
            first_router = builder.parts.vertices.size();
            for (std::size_t g = 0; g < layout.groups; ++g)
                for (std::size_t r = 0; r < layout.routers; ++r) builder.add_vertex(name(g, r));
        }
        return VertexId(first_router + gpu.value() / per_router);
    };
    Nodes nodes(t, builder, attach);
    layout.first = builder.links();
    const auto router = [&](std::size_t group, std::size_t r) {
        return VertexId(first_router + group * layout.routers + r);
    };
    for (std::size_t g = 0; g < layout.groups; ++g)
        for (std::size_t a = 0; a < layout.routers; ++a)
            for (std::size_t b = 0; b < layout.routers; ++b)
                if (a != b)
                    builder.add_link(fmt::format("{}-router{}", name(g, a), b), LinkClass::fabric, t.dragonfly.local,
                                     router(g, a), router(g, b));
    for (std::size_t i = 0; i < layout.groups; ++i)
        for (std::size_t j = 0; j < layout.groups; ++j)
            if (i != j)
                builder.add_link(fmt::format("group{}-group{}", i, j), LinkClass::fabric, t.dragonfly.global,
                                 router(i, layout.gateway(i, j)), router(j, layout.gateway(j, i)));
    return {std::move(builder.parts), std::make_shared<DragonflyRouter>(std::move(nodes), layout, per_router)};
}

}  // namespace moesim
