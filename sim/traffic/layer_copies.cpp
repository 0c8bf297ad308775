#include "traffic/layer_copies.hpp"

namespace moesim {

LayerCopies::LayerCopies(const Placement& placement, LayerId layer) {
    first_.reserve(placement.experts() + 1);
    for (std::size_t e = 0; e < placement.experts(); ++e) {
        first_.push_back(static_cast<CopyIndex>(position_.size()));
        for (const std::uint32_t position : placement.replicas(layer, e)) {
            if (position_.size() > first_.back() && position_.back() == position) {
                ++weight_.back();
                continue;
            }
            position_.push_back(position);
            weight_.push_back(1);
            expert_.push_back(static_cast<ExpertIndex>(e));
        }
    }
    first_.push_back(static_cast<CopyIndex>(position_.size()));
}

}  // namespace moesim
