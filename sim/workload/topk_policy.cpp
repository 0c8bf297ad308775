#include "workload/topk_policy.hpp"

#include <algorithm>

namespace moesim {

TopkPolicy::TopkPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, GateWeights weights)
    : gate_(std::move(gate)), top_k_(top_k), weights_(weights) {}

void TopkPolicy::route(const TokenBatch& batch, Routing& out) const {
    gate_->draw(batch, std::min(top_k_ + batch.spare, gate_->experts()), out);
    if (batch.want_gates && weights_ == GateWeights::equal) equal_gates(out);
}

}  // namespace moesim
