#include "placement/placement.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "placement/document.hpp"

namespace moesim {

Placement::Placement(const Matrix<std::uint32_t>& position, std::size_t positions)
    : replicas_(position.rows()), positions_(positions) {
    for (std::size_t l = 0; l < position.rows(); ++l)
        for (const std::uint32_t p : position.row(l)) replicas_[l].push_back({p});
}

Placement::Placement(std::vector<std::vector<std::vector<std::uint32_t>>> replicas, std::size_t positions)
    : replicas_(std::move(replicas)), positions_(positions) {
    for (auto& layer : replicas_) {
        if (layer.size() != replicas_[0].size()) throw InternalError("a placement whose layers differ in experts");
        for (auto& copies : layer) {
            std::sort(copies.begin(), copies.end());
            if (copies.empty() || copies.back() >= positions)
                throw InternalError("a placement with an expert nowhere or out of range");
            replicated_ = replicated_ || copies.size() > 1;
        }
    }
}

std::size_t Placement::experts_at(std::size_t position) const {
    std::size_t held = 0;
    for (const auto& layer : replicas_)
        for (const auto& copies : layer)
            held += static_cast<std::size_t>(std::count(copies.begin(), copies.end(), position));
    return held;
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

Placement make_placement(const PlacementSpec& spec, const ModelSpec& model, const ParallelismSpec& parallelism) {
    return spec.document ? to_placement(*spec.document) : make_placement(spec.method, model, parallelism);
}

}  // namespace moesim
