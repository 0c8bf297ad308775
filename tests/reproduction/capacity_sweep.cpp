#include "reproduction/capacity_sweep.hpp"

#include <algorithm>
#include <cmath>

#include "support/routing.hpp"
#include "workload/capacity.hpp"

namespace moesim::test {

Expected expected_drop(std::int64_t tokens, std::int64_t experts, std::int64_t top_k, double factor) {
    const auto n = static_cast<double>(tokens), k = static_cast<double>(top_k), e = static_cast<double>(experts);
    const double p = k / e;
    const std::int64_t capacity = expert_capacity(factor, tokens, top_k, experts);
    double first = 0, second = 0;
    for (std::int64_t load = capacity + 1; load <= tokens; ++load) {
        const auto x = static_cast<double>(load);
        const double log_probability = std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) +
                                       x * std::log(p) + (n - x) * std::log1p(-p);
        if (x > n * p && log_probability < -700) break;  // and it only falls from here
        const double probability = std::exp(log_probability), over = static_cast<double>(load - capacity);
        first += probability * over;
        second += probability * over * over;
    }
    return {first / (n * p), std::sqrt(e * (second - first * first)) / (n * k)};
}

std::array<double, sweep_factors.size()> routed_drops(std::int64_t experts, std::int64_t top_k, SweepNoise noise,
                                                      std::uint64_t seed) {
    Scenario s = routing_scenario(experts, top_k);
    s.seed = seed;
    s.routing.policy = Policy::softmax_topk;
    if (noise == SweepNoise::normal) s.routing.gaussian_noise = 1;
    const Routing routing = route_one(s, sweep_tokens);
    std::array<double, sweep_factors.size()> rates{};
    Routing limited;
    for (std::size_t i = 0; i < rates.size(); ++i) {
        limited = routing;
        const Limited l = limit_load(limited, static_cast<std::size_t>(top_k),
                                     expert_capacity(sweep_factors[i], sweep_tokens, top_k, experts),
                                     static_cast<std::size_t>(experts), Overflow::drop);
        rates[i] = static_cast<double>(l.dropped) / static_cast<double>(l.chosen);
    }
    return rates;
}

std::vector<SweepCell> sweep(SweepNoise noise, std::int64_t routings) {
    std::vector<SweepCell> cells;
    std::uint64_t seed = 0;  // one for each routing of the sweep
    for (const std::int64_t experts : sweep_experts)
        for (const std::int64_t top_k : sweep_top_k) {
            const std::int64_t count = std::max<std::int64_t>(1, routings / (top_k * top_k));
            std::array<double, sweep_factors.size()> sum{};
            for (std::int64_t i = 0; i < count; ++i) {
                const auto rates = routed_drops(experts, top_k, noise, ++seed);
                for (std::size_t f = 0; f < sum.size(); ++f) sum[f] += rates[f];
            }
            for (std::size_t f = 0; f < sum.size(); ++f)
                cells.push_back({experts, top_k, sweep_factors[f], sum[f] / static_cast<double>(count), count});
        }
    return cells;
}

}  // namespace moesim::test
