#include "topology/torus.hpp"

#include <fmt/format.h>

#include "topology/network_router.hpp"

namespace moesim {
namespace {

// Routers are numbered with the first dimension fastest. A router's links follow each other: for each dimension the
// one in the positive direction and, where the dimension is more than two, the one in the negative direction.
struct TorusLayout {
    std::vector<std::size_t> size, stride, offset;  // [dimension]; offset: of its links among a router's
    std::size_t links_per_router = 0;
    std::size_t first = 0;  // link
    std::size_t routers = 1;

    explicit TorusLayout(const TorusSpec& t) {
        for (const std::int64_t d : t.dimensions) {
            size.push_back(static_cast<std::size_t>(d));
            stride.push_back(routers);
            offset.push_back(links_per_router);
            routers *= size.back();
            links_per_router += size.back() > 2 ? 2 : 1;
        }
    }
    [[nodiscard]] std::size_t place(std::size_t router, std::size_t d) const { return router / stride[d] % size[d]; }
    // The router `steps` further in the positive direction.
    [[nodiscard]] std::size_t next(std::size_t router, std::size_t d, std::size_t steps) const {
        const std::size_t at = place(router, d);
        return router - at * stride[d] + (at + steps) % size[d] * stride[d];
    }
    [[nodiscard]] LinkId link(std::size_t router, std::size_t d, bool negative) const {
        return LinkId(first + router * links_per_router + offset[d] + (negative ? 1 : 0));
    }
};

class TorusRouter final : public NetworkRouter {
  public:
    TorusRouter(Nodes nodes, TorusLayout layout) : NetworkRouter(std::move(nodes)), layout_(std::move(layout)) {}

  private:
    void cross(Route& route, RankId from, RankId to) const override {
        std::size_t at = nodes().node_of(from);
        const std::size_t end = nodes().node_of(to);
        for (std::size_t d = 0; d < layout_.size.size(); ++d) {
            const std::size_t size = layout_.size[d];
            const std::size_t ahead = (layout_.place(end, d) + size - layout_.place(at, d)) % size;
            const bool negative = 2 * ahead > size;
            for (std::size_t left = negative ? size - ahead : ahead; left > 0; --left) {
                route.push(layout_.link(at, d, negative));
                at = layout_.next(at, d, negative ? size - 1 : 1);
            }
        }
    }
    TorusLayout layout_;
};

}  // namespace

Fabric build_torus(const TopologySpec& t) {
    FabricBuilder builder;
    TorusLayout layout(t.torus);
    std::size_t first_router = 0;
    const auto attach = [&](RankId gpu) {
        if (gpu == RankId(0)) {
            first_router = builder.parts.vertices.size();
            for (std::size_t r = 0; r < layout.routers; ++r) builder.add_vertex(fmt::format("router{}", r));
        }
        return VertexId(first_router + gpu.value() / static_cast<std::size_t>(t.gpus_per_node));
    };
    Nodes nodes(t, builder, attach);
    layout.first = builder.links();
    constexpr std::array<char, 3> axis = {'x', 'y', 'z'};
    for (std::size_t r = 0; r < layout.routers; ++r)
        for (std::size_t d = 0; d < layout.size.size(); ++d)
            for (std::size_t negative = 0; negative < (layout.size[d] > 2 ? 2U : 1U); ++negative)
                builder.add_link(fmt::format("router{}.{}{}", r, axis[d], negative ? '-' : '+'), LinkClass::fabric,
                                 t.torus.link, VertexId(first_router + r),
                                 VertexId(first_router + layout.next(r, d, negative ? layout.size[d] - 1 : 1)));
    return {std::move(builder.parts), std::make_shared<TorusRouter>(std::move(nodes), std::move(layout))};
}

}  // namespace moesim
