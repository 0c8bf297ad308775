#include "topology/rails.hpp"

#include <fmt/format.h>

#include "topology/network_router.hpp"
#include "topology/uplinks.hpp"

namespace moesim {
namespace {

class RailRouter final : public NetworkRouter {
  public:
    RailRouter(Nodes nodes, const TopologySpec& t, Uplinks uplinks)
        : NetworkRouter(std::move(nodes)), rails_(static_cast<std::size_t>(t.gpus_per_node)),
          nodes_per_leaf_(static_cast<std::size_t>(t.nodes_per_leaf)), over_nvlink_(t.cross_rail == CrossRail::nvlink),
          uplinks_(uplinks) {}

    [[nodiscard]] static std::size_t leaf(RankId gpu, std::size_t rails, std::size_t nodes_per_leaf) {
        return gpu.value() / rails / nodes_per_leaf * rails + gpu.value() % rails;
    }

  private:
    [[nodiscard]] RankId exit_of(RankId from, RankId to) const override {
        if (!over_nvlink_) return from;
        return RankId(from.value() / rails_ * rails_ + to.value() % rails_);
    }
    void cross(Route& route, RankId from, RankId to) const override {
        const std::size_t a = leaf(from, rails_, nodes_per_leaf_), b = leaf(to, rails_, nodes_per_leaf_);
        if (a == b) return;
        const std::size_t way = equal_path(from, to, uplinks_.ways());
        route.push(uplinks_.up(a, way));
        route.push(uplinks_.down(b, way));
    }
    std::size_t rails_, nodes_per_leaf_;
    bool over_nvlink_;
    Uplinks uplinks_;
};

}  // namespace

Fabric build_rails(const TopologySpec& t) {
    FabricBuilder builder;
    const auto rails = static_cast<std::size_t>(t.gpus_per_node), leaves = static_cast<std::size_t>(t.leaves());
    std::size_t first_leaf = 0;
    const auto attach = [&](RankId gpu) {
        if (gpu == RankId(0)) {
            first_leaf = builder.parts.vertices.size();
            for (std::size_t l = 0; l < leaves; ++l)
                builder.add_vertex(fmt::format("leaf{}.rail{}", l / rails, l % rails));
        }
        return VertexId(first_leaf + RailRouter::leaf(gpu, rails, static_cast<std::size_t>(t.nodes_per_leaf)));
    };
    Nodes nodes(t, builder, attach);
    Uplinks uplinks;
    if (t.has_spine()) {
        const bool hash = t.equal_paths == EqualPaths::hash;
        const std::size_t spines = hash ? static_cast<std::size_t>(t.spines) : 1, spine = builder.parts.vertices.size();
        for (std::size_t s = 0; s < spines; ++s) builder.add_vertex(hash ? fmt::format("spine{}", s) : "spine");
        uplinks = Uplinks(
            builder, t.uplink, leaves, spines,
            [&](std::size_t l) { return fmt::format("leaf{}.rail{}", l / rails, l % rails); },
            [&](std::size_t l, std::size_t) { return VertexId(first_leaf + l); },
            [&](std::size_t, std::size_t way) { return VertexId(spine + way); });
    }
    return {std::move(builder.parts), std::make_shared<RailRouter>(std::move(nodes), t, uplinks)};
}

}  // namespace moesim
