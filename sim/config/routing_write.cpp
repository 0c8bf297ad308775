#include <nlohmann/json.hpp>

#include "config/routing_spec.hpp"

namespace moesim {
namespace {

using Out = nlohmann::ordered_json;

Out json(const PopularitySpec& p) {
    Out j = Out::object();
    if (const auto* b = std::get_if<ZipfSpec>(&p.base)) j["zipf"] = b->exponent;
    if (const auto* b = std::get_if<DirichletSpec>(&p.base)) j["dirichlet"] = b->concentration;
    if (const auto* b = std::get_if<PowerLawSpec>(&p.base))
        j["power_law"] = {{"exponent", b->exponent}, {"low", b->low}, {"high", b->high}};
    if (const auto* b = std::get_if<LogNormalSpec>(&p.base)) j["log_normal"] = b->sigma;
    if (const auto* b = std::get_if<WeightsSpec>(&p.base))
        j["weights"] = b->weights.size() == 1 ? Out(b->weights[0]) : Out(b->weights);
    if (p.silent_experts > 0) j["silent_experts"] = p.silent_experts;
    if (const auto& h = p.hot_experts)
        j["hot_experts"] = {{"count", h->count}, {"share", h->share}, {"move_every", h->move_every}};
    if (const auto& h = p.hot_rank) j["hot_rank"] = {{"position", h->position}, {"share", h->share}};
    if (const auto& b = p.bursts)
        j["bursts"] = {
            {"tokens", b->tokens}, {"probability", b->probability}, {"count", b->count}, {"share", b->share}};
    if (p.source_spread > 0) j["source_spread"] = p.source_spread;
    if (p.drift > 0) j["drift"] = p.drift;
    return j;
}

void write_policy_options(const RoutingSpec& r, Out& j) {
    const GroupSpec& g = r.groups;
    switch (r.policy) {
        case Policy::bias_balanced:
            j["bias"] = {{"rate", r.bias.rate}, {"steps", r.bias.steps}, {"tokens", r.bias.tokens}};
            break;
        case Policy::group_limited:
        case Policy::hierarchical:
            if (r.policy == Policy::hierarchical) j["groups"] = {{"tiers", g.tiers}, {"chosen_tiers", g.chosen_tiers}};
            j["groups"]["count"] = g.groups;
            j["groups"]["chosen"] = g.chosen_groups;
            j["groups"]["score"] = group_score_names[static_cast<std::size_t>(g.score)];
            break;
        case Policy::null_experts: j["null_experts"] = {{"count", r.nulls.count}, {"share", r.nulls.share}}; break;
        case Policy::dynamic_k:
            j["dynamic_k"] = {{"threshold", r.dynamic_k.threshold},
                              {"least", r.dynamic_k.least},
                              {"schedule", schedule_names[static_cast<std::size_t>(r.dynamic_k.schedule)]}};
            break;
        case Policy::recurrent: j["recurrence"] = r.recurrence; break;
        case Policy::trace: j["trace"] = r.trace; break;
        default: break;
    }
}

}  // namespace

Out to_json(const RoutingSpec& r) {
    Out j = {{"policy", policy_names[static_cast<std::size_t>(r.policy)]}};
    if (r.model) {
        j["model"] = to_json(*r.model);
    } else if (has_gate(r.policy)) {
        j["popularity"] = json(r.popularity);
        if (r.gaussian_noise) j["gaussian_noise"] = *r.gaussian_noise;
        if (r.affinity > 0) j["affinity"] = r.affinity;
        if (r.step > 0) j["step"] = r.step;
    }
    j["capacity_factor"] = r.capacity_factor ? Out(*r.capacity_factor) : Out(nullptr);
    if (r.overflow != Overflow::drop) j["overflow"] = overflow_names[static_cast<std::size_t>(r.overflow)];
    if (r.skipped.size() == 1) j["skipped"] = r.skipped[0];
    if (r.skipped.size() > 1) j["skipped"] = r.skipped;
    write_policy_options(r, j);
    return j;
}

}  // namespace moesim
