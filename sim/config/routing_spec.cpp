#include "config/routing_spec.hpp"

namespace moesim {

bool has_gate(Policy p) { return p != Policy::uniform && p != Policy::hash && p != Policy::trace; }

bool ranks_experts(Policy p) {
    return has_gate(p) && p != Policy::expert_choice && p != Policy::sinkhorn && p != Policy::dynamic_k &&
           p != Policy::null_experts;
}

bool RoutingSpec::operator==(const RoutingSpec& o) const {
    const auto rest = [](const RoutingSpec& r) {
        return std::tie(r.policy, r.popularity, r.gaussian_noise, r.affinity, r.step, r.capacity_factor, r.overflow,
                        r.skipped, r.bias, r.groups, r.nulls, r.dynamic_k, r.recurrence, r.trace);
    };
    const bool same_model = model == nullptr || o.model == nullptr ? model == o.model : *model == *o.model;
    return same_model && rest(*this) == rest(o);
}

}  // namespace moesim
