#include "placement/document.hpp"

namespace moesim {

Placement to_placement(const PlacementDocument& document) {
    std::vector<std::vector<std::vector<std::uint32_t>>> replicas;  // [layer][expert]
    for (const auto& layer : document.layers) {
        auto& experts = replicas.emplace_back(document.experts);
        for (std::size_t p = 0; p < layer.size(); ++p)
            for (const std::uint32_t e : layer[p]) experts[e].push_back(static_cast<std::uint32_t>(p));
    }
    return {std::move(replicas), document.positions};
}

PlacementDocument to_document(const Placement& placement, std::string name) {
    PlacementDocument d;
    d.name = std::move(name);
    d.experts = placement.experts();
    d.positions = placement.positions();
    for (std::size_t l = 0; l < placement.layers(); ++l) {
        auto& layer = d.layers.emplace_back(d.positions);
        for (std::size_t e = 0; e < d.experts; ++e)
            for (const std::uint32_t p : placement.replicas(LayerId(l), e))
                layer[p].push_back(static_cast<std::uint32_t>(e));
    }
    return d;
}

}  // namespace moesim
