#include "workload/policy.hpp"

#include "workload/hash_policy.hpp"
#include "workload/popularity.hpp"
#include "workload/softmax_topk_policy.hpp"

namespace moesim {

std::unique_ptr<RoutingPolicy> make_policy(const Scenario& s) {
    const auto top_k = static_cast<std::size_t>(s.model.top_k);
    switch (s.routing.policy) {
        case Policy::hash:
            return std::make_unique<HashPolicy>(static_cast<std::size_t>(s.model.experts), top_k, s.seed);
        case Policy::uniform:
        case Policy::softmax_topk: break;
    }
    // Uniform routing is softmax top-k over equal popularities.
    auto popularity = layer_popularities(s.routing.popularity, s.model, s.seed);
    if (s.routing.gaussian_noise)
        return std::make_unique<GaussianTopkPolicy>(std::move(popularity), top_k, *s.routing.gaussian_noise, s.seed);
    return std::make_unique<SoftmaxTopkPolicy>(popularity, top_k, s.seed);
}

}  // namespace moesim
