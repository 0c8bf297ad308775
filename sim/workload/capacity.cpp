#include "workload/capacity.hpp"

#include <cmath>
#include <vector>

namespace moesim {

std::int64_t expert_capacity(double factor, std::int64_t tokens, std::int64_t top_k, std::int64_t experts) {
    const double share = static_cast<double>(tokens) * static_cast<double>(top_k) / static_cast<double>(experts);
    // 1.1 * 100 is 110.00000000000001 in doubles; what is that close to a whole number is meant to be it.
    return static_cast<std::int64_t>(std::ceil(factor * share * (1 - 1e-12)));
}

Limited limit_load(Routing& routing, std::size_t top_k, std::int64_t capacity, std::size_t experts, Overflow overflow) {
    const std::size_t places = overflow == Overflow::drop ? routing.width : std::min(top_k, routing.width);
    std::vector<std::int64_t> load(experts);
    Limited limited;
    const bool gates = !routing.gates.empty();
    for (std::size_t t = 0, tokens = routing.tokens(); t < tokens; ++t) {
        ExpertIndex* row = routing.experts.data() + t * routing.width;
        float* weights = gates ? routing.gates.data() + t * routing.width : nullptr;
        std::size_t next = places;
        for (std::size_t i = 0; i < places; ++i) {
            if (row[i] == no_expert) continue;
            ++limited.chosen;
            if (load[row[i]] < capacity) {
                ++load[row[i]];
                continue;
            }
            while (next < routing.width && (row[next] == no_expert || load[row[next]] >= capacity)) ++next;
            if (next < routing.width) {
                ++limited.rerouted;
                ++load[row[next]];
                if (gates) weights[i] = weights[next];
                row[i] = row[next++];
            } else {
                ++limited.dropped;
                row[i] = no_expert;
                if (gates) weights[i] = 0;
            }
        }
        // Rows move together: place t * places is never behind t * width.
        if (places == routing.width) continue;
        for (std::size_t i = 0; i < places; ++i) {
            routing.experts[t * places + i] = row[i];
            if (gates) routing.gates[t * places + i] = weights[i];
        }
    }
    const std::size_t tokens = routing.tokens();
    routing.width = places;
    routing.experts.resize(tokens * places);
    if (gates) routing.gates.resize(tokens * places);
    return limited;
}

}  // namespace moesim
