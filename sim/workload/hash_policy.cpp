#include "workload/hash_policy.hpp"

#include "base/random.hpp"
#include "workload/purpose.hpp"

namespace moesim {

HashPolicy::HashPolicy(std::size_t experts, std::size_t top_k, std::uint64_t seed)
    : experts_(experts), top_k_(top_k), seed_(seed) {}

void HashPolicy::route(const TokenBatch& batch, Routing& out) const {
    const std::uint64_t offset =
        RandomStream(stream_key(seed_, purpose::hash_offset), batch.layer.value()).next() % experts_;
    std::uint64_t next = (offset + static_cast<std::uint64_t>(batch.tokens.begin) * top_k_) % experts_;
    out.width = top_k_;
    out.experts.resize(static_cast<std::size_t>(batch.tokens.size()) * top_k_);
    for (ExpertIndex& expert : out.experts) {
        expert = static_cast<ExpertIndex>(next);
        if (++next == experts_) next = 0;
    }
    out.gates.assign(batch.want_gates ? out.experts.size() : 0, 1.0F / static_cast<float>(top_k_));
}

}  // namespace moesim
