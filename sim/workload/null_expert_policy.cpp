#include "workload/null_expert_policy.hpp"

#include <algorithm>
#include <cmath>

#include "workload/gumbel.hpp"
#include "workload/purpose.hpp"
#include "workload/topk.hpp"

namespace moesim {

NullExpertPolicy::NullExpertPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k, const NullSpec& spec,
                                   std::uint64_t seed)
    : gate_(std::move(gate)), top_k_(top_k), spec_(spec), seed_(seed) {}

void NullExpertPolicy::route(const TokenBatch& batch, Routing& out) const {
    const std::size_t experts = gate_->experts(), nulls = static_cast<std::size_t>(spec_.count);
    const auto base = static_cast<float>(std::log(spec_.share / (1 - spec_.share) / static_cast<double>(nulls)));
    const std::uint64_t key = stream_key(seed_, purpose::null_experts, batch.layer.value());
    out.clear(static_cast<std::size_t>(batch.tokens.size()), top_k_);
    if (batch.want_gates) out.gates.resize(out.experts.size());
    std::vector<float> all(experts + nulls);
    std::vector<ExpertIndex> chosen(top_k_);
    for_each_token(*gate_, batch, [&](std::size_t t, std::span<const float> logits) {
        std::copy(logits.begin(), logits.end(), all.begin());
        RandomStream stream(key, static_cast<std::uint64_t>(batch.tokens.begin) + t);
        std::fill(all.begin() + static_cast<std::ptrdiff_t>(experts), all.end(), base);
        add_gumbel(stream, std::span(all).subspan(experts));
        select_topk(all, chosen);
        const auto row = std::span(out.experts).subspan(t * top_k_, top_k_);
        std::copy_if(chosen.begin(), chosen.end(), row.begin(), [&](ExpertIndex e) { return e < experts; });
        if (batch.want_gates) softmax_of_chosen(logits, row, std::span(out.gates).subspan(t * top_k_, top_k_));
    });
}

}  // namespace moesim
