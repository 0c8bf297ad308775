#include "workload/hash_policy.hpp"

#include "base/random.hpp"
#include "workload/purpose.hpp"

namespace moesim {

HashPolicy::HashPolicy(std::size_t experts, std::size_t top_k, std::uint64_t seed)
    : experts_(experts), top_k_(top_k), seed_(seed) {}

void HashPolicy::route(LayerId layer, Range tokens, std::span<ExpertIndex> out) const {
    const std::uint64_t offset = RandomStream(stream_key(seed_, purpose::hash_offset), layer.value()).next() % experts_;
    std::uint64_t next = (offset + static_cast<std::uint64_t>(tokens.begin) * top_k_) % experts_;
    for (ExpertIndex& expert : out.first(static_cast<std::size_t>(tokens.size()) * top_k_)) {
        expert = static_cast<ExpertIndex>(next);
        if (++next == experts_) next = 0;
    }
}

}  // namespace moesim
