#include "topology/tree.hpp"

#include <fmt/format.h>

namespace moesim {
namespace {

// Link ids follow from the layout alone: four a GPU (two without a network), then two a leaf.
class TreeRouter final : public Router {
  public:
    TreeRouter(std::size_t gpus, std::size_t gpus_per_node, std::size_t nodes_per_leaf, bool network)
        : gpus_(gpus), gpus_per_node_(gpus_per_node), gpus_per_leaf_(gpus_per_node * nodes_per_leaf),
          links_per_gpu_(network ? 4 : 2) {}

    [[nodiscard]] Route route(RankId from, RankId to) const override {
        const std::size_t a = from.value(), b = to.value();
        Route r;
        if (a / gpus_per_node_ == b / gpus_per_node_) {
            r.push(of_gpu(a, 0));
            r.push(of_gpu(b, 1));
            return r;
        }
        const std::size_t leaf_a = a / gpus_per_leaf_, leaf_b = b / gpus_per_leaf_;
        r.push(of_gpu(a, 2));
        if (leaf_a != leaf_b) {
            r.push(of_leaf(leaf_a, 0));
            r.push(of_leaf(leaf_b, 1));
        }
        r.push(of_gpu(b, 3));
        return r;
    }

  private:
    [[nodiscard]] LinkId of_gpu(std::size_t gpu, std::size_t which) const {
        return LinkId(gpu * links_per_gpu_ + which);
    }
    [[nodiscard]] LinkId of_leaf(std::size_t leaf, std::size_t which) const {
        return LinkId(gpus_ * links_per_gpu_ + leaf * 2 + which);
    }
    std::size_t gpus_, gpus_per_node_, gpus_per_leaf_, links_per_gpu_;
};

void add_pair(std::vector<Link>& links, const std::string& name, LinkClass link_class, const LinkSpec& spec) {
    links.push_back({name + ".up", link_class, spec.bandwidth, spec.latency});
    links.push_back({name + ".down", link_class, spec.bandwidth, spec.latency});
}

}  // namespace

Fabric build_tree(const TopologySpec& spec) {
    const bool network = spec.kind == TopologyKind::fat_tree;
    const auto gpus = static_cast<std::size_t>(spec.gpus());
    const auto per_node = static_cast<std::size_t>(spec.gpus_per_node);
    const auto nodes_per_leaf = static_cast<std::size_t>(spec.nodes_per_leaf);
    std::vector<Link> links;
    std::vector<NodeId> node_of;
    for (std::size_t g = 0; g < gpus; ++g) {
        node_of.emplace_back(g / per_node);
        add_pair(links, fmt::format("gpu{}.nvlink", g), LinkClass::nvlink, spec.nvlink);
        if (network) add_pair(links, fmt::format("gpu{}.nic", g), LinkClass::nic, spec.nic);
    }
    const std::size_t nodes = static_cast<std::size_t>(spec.nodes);
    const std::size_t leaves = network ? (nodes + nodes_per_leaf - 1) / nodes_per_leaf : 0;
    for (std::size_t leaf = 0; leaf < leaves; ++leaf)
        add_pair(links, fmt::format("leaf{}.uplink", leaf), LinkClass::uplink, spec.uplink);
    return {std::move(links), std::move(node_of),
            std::make_shared<TreeRouter>(gpus, per_node, nodes_per_leaf, network)};
}

}  // namespace moesim
