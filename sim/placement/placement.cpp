#include "placement/placement.hpp"

#include <algorithm>

namespace moesim {

Placement::Placement(Matrix<std::uint32_t> position, std::size_t positions)
    : position_(std::move(position)), positions_(positions) {}

std::size_t Placement::experts_at(std::size_t position) const {
    return static_cast<std::size_t>(std::count(position_.values().begin(), position_.values().end(), position));
}

Placement make_placement(PlacementMethod method, const ModelSpec& model, const ParallelismSpec& parallelism) {
    const auto layers = static_cast<std::size_t>(model.moe_layers), experts = static_cast<std::size_t>(model.experts);
    const auto positions = static_cast<std::size_t>(parallelism.expert);
    Matrix<std::uint32_t> table(layers, experts);
    for (std::size_t layer = 0; layer < layers; ++layer)
        for (std::size_t e = 0; e < experts; ++e) {
            const std::size_t at = method == PlacementMethod::contiguous ? e / (experts / positions) : e % positions;
            table(layer, e) = static_cast<std::uint32_t>(at);
        }
    return {std::move(table), positions};
}

}  // namespace moesim
