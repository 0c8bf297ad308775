#include "workload/skipping_policy.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "workload/purpose.hpp"

namespace moesim {

SkippingPolicy::SkippingPolicy(std::unique_ptr<RoutingPolicy> inner, std::vector<double> parts, std::uint64_t seed)
    : inner_(std::move(inner)), parts_(std::move(parts)), seed_(seed) {}

void SkippingPolicy::route(const TokenBatch& batch, Routing& out) const {
    inner_->route(batch, out);
    const double part = parts_[parts_.size() == 1 ? 0 : batch.layer.value()];
    const std::uint64_t key = stream_key(seed_, purpose::skipped, batch.layer.value());
    for (std::size_t t = 0; t < out.tokens(); ++t) {
        if (RandomStream(key, static_cast<std::uint64_t>(batch.tokens.begin) + t).uniform() >= part) continue;
        const auto first = static_cast<std::ptrdiff_t>(t * out.width);
        std::fill_n(out.experts.begin() + first, out.width, no_expert);
        if (!out.gates.empty()) std::fill_n(out.gates.begin() + first, out.width, 0.0F);
    }
}

}  // namespace moesim
