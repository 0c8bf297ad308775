#include "workload/policy.hpp"

#include "base/error.hpp"
#include "workload/bias_balanced_policy.hpp"
#include "workload/dynamic_k_policy.hpp"
#include "workload/expert_choice_policy.hpp"
#include "workload/gate.hpp"
#include "workload/group_policy.hpp"
#include "workload/hash_policy.hpp"
#include "workload/null_expert_policy.hpp"
#include "workload/recurrent_policy.hpp"
#include "workload/sinkhorn_policy.hpp"
#include "workload/skipping_policy.hpp"
#include "workload/topk_policy.hpp"
#include "workload/trace_policy.hpp"

namespace moesim {
namespace {

std::unique_ptr<RoutingPolicy> make_unskipped(const Scenario& s, std::shared_ptr<const RoutingTrace> trace) {
    const RoutingSpec& r = s.routing;
    const auto k = static_cast<std::size_t>(s.model.top_k), layers = static_cast<std::size_t>(s.model.moe_layers);
    const auto gate = [&] { return make_gate(s); };
    switch (r.policy) {
        case Policy::hard_topk: return std::make_unique<TopkPolicy>(gate(), k, GateWeights::equal);
        case Policy::hash: return std::make_unique<HashPolicy>(static_cast<std::size_t>(s.model.experts), k, s.seed);
        case Policy::expert_choice:
            return std::make_unique<ExpertChoicePolicy>(gate(), k, r.capacity_factor.value_or(1));
        case Policy::sinkhorn: return std::make_unique<SinkhornPolicy>(gate(), k);
        case Policy::bias_balanced:
            return std::make_unique<BiasBalancedPolicy>(gate(), k, layers, static_cast<std::size_t>(s.parallelism.data),
                                                        r.bias);
        case Policy::group_limited:
        case Policy::hierarchical: return std::make_unique<GroupPolicy>(gate(), k, r.groups);
        case Policy::null_experts: return std::make_unique<NullExpertPolicy>(gate(), k, r.nulls, s.seed);
        case Policy::dynamic_k: return std::make_unique<DynamicKPolicy>(gate(), k, layers, r.dynamic_k);
        case Policy::recurrent: return std::make_unique<RecurrentPolicy>(gate(), k, r.recurrence);
        case Policy::trace:
            if (trace == nullptr) throw InternalError("the policy \"trace\" without a trace");
            return std::make_unique<TracePolicy>(std::move(trace), s.model);
        case Policy::uniform:  // softmax top-k over equal popularities, which the parser leaves it with
        case Policy::top1:
        case Policy::softmax_topk: break;
    }
    return std::make_unique<TopkPolicy>(gate(), k, GateWeights::softmax);
}

}  // namespace

std::unique_ptr<RoutingPolicy> make_policy(const Scenario& s, std::shared_ptr<const RoutingTrace> trace) {
    auto policy = make_unskipped(s, std::move(trace));
    if (s.routing.skipped.empty()) return policy;
    return std::make_unique<SkippingPolicy>(std::move(policy), s.routing.skipped, s.seed);
}

}  // namespace moesim
