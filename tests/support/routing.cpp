#include "support/routing.hpp"

namespace moesim::test {

Scenario routing_scenario(std::int64_t experts, std::int64_t top_k, std::int64_t layers) {
    Scenario s;
    s.model.experts = experts;
    s.model.top_k = top_k;
    s.model.moe_layers = layers;
    return s;
}

PopularitySpec weights(std::vector<double> w) {
    PopularitySpec p;
    p.base = WeightsSpec{{std::move(w)}};
    return p;
}

std::vector<Routing> route_layers(const RoutingPolicy& policy, std::int64_t tokens, std::size_t layers, bool want_gates,
                                  std::size_t source) {
    std::vector<Routing> all(layers);
    for (std::size_t l = 0; l < layers; ++l) {
        TokenBatch batch;
        batch.layer = LayerId(l);
        batch.source = source;
        batch.tokens = {0, tokens};
        batch.previous = l > 0 ? &all[l - 1] : nullptr;
        batch.want_gates = want_gates;
        policy.route(batch, all[l]);
    }
    return all;
}

Routing route_one(const Scenario& scenario, std::int64_t tokens, std::size_t layer, bool want_gates) {
    TokenBatch batch;
    batch.layer = LayerId(layer);
    batch.tokens = {0, tokens};
    batch.want_gates = want_gates;
    Routing out;
    make_policy(scenario)->route(batch, out);
    return out;
}

std::vector<std::int64_t> load_of(const Routing& routing, std::size_t experts) {
    std::vector<std::int64_t> load(experts);
    for (const ExpertIndex e : routing.experts)
        if (e != no_expert) ++load.at(e);
    return load;
}

}  // namespace moesim::test
