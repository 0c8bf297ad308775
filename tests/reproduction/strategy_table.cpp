#include "reproduction/strategy_table.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "support/routing.hpp"
#include "workload/capacity.hpp"
#include "workload/load.hpp"
#include "workload/popularity.hpp"

namespace moesim::test {
namespace {

constexpr int strata = 512;          // values of z
constexpr std::int64_t layers = 32;  // popularities for each
constexpr int routed_every = 4;      // of the strata, one popularity is routed in so many
constexpr std::int64_t tokens = 8192;

// The z > 0 that |a standard normal| is below with probability p: erf(z / sqrt 2) = p, by bisection.
double half_normal_quantile(double p) {
    double low = 0, high = 10;
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (std::erf(middle / std::sqrt(2.0)) < p ? low : high) = middle;
    }
    return low;
}

// z takes the middle quantile of each stratum: an average is over its law, not over a sample of it.
Scenario scenario_of(int stratum, std::int64_t experts, std::int64_t top_k, double skew) {
    static const std::vector<double> z = [] {
        std::vector<double> all;
        for (int i = 0; i < strata; ++i) all.push_back(half_normal_quantile((i + 0.5) / strata));
        return all;
    }();
    const double uneven = skew * z[static_cast<std::size_t>(stratum)];
    Scenario s = routing_scenario(experts, top_k, layers);
    s.seed = static_cast<std::uint64_t>(stratum);
    s.routing.popularity.base = DirichletSpec{1 / (uneven * uneven)};
    return s;
}

// The load of each expert over the mean load, before drops.
std::vector<double> expected_load(std::span<const double> p, std::int64_t top_k) {
    std::vector<double> load(p.begin(), p.end());
    double sum = 0;
    for (const double x : p) sum += x / (1 - x);
    if (top_k == 2)
        for (std::size_t e = 0; e < p.size(); ++e) load[e] += p[e] * (sum - p[e] / (1 - p[e]));
    for (double& x : load) x *= static_cast<double>(p.size()) / static_cast<double>(top_k);
    return load;
}

DropAndCv limited(std::span<const double> load, double factor) {
    std::vector<double> kept;
    double sum = 0;
    for (const double x : load) kept.push_back(std::min(x, factor)), sum += kept.back();
    return {1 - sum / static_cast<double>(load.size()), load_balance(kept).cv};
}

DropAndCv limited(Routing routing, std::size_t experts, std::size_t top_k, double factor) {
    const std::int64_t capacity =
        expert_capacity(factor, tokens, static_cast<std::int64_t>(top_k), static_cast<std::int64_t>(experts));
    const Limited l = limit_load(routing, top_k, capacity, experts, Overflow::drop);
    return {static_cast<double>(l.dropped) / static_cast<double>(l.chosen), load_balance(load_of(routing, experts)).cv};
}

}  // namespace

std::vector<DropAndCv> expected_with_skew(std::int64_t experts, std::int64_t top_k, double skew,
                                          std::span<const double> factors) {
    if (top_k > 2) throw std::runtime_error("only for one or two choices");
    std::vector<DropAndCv> mean(factors.size());
    for (int i = 0; i < strata; ++i) {
        const Scenario s = scenario_of(i, experts, top_k, skew);
        const Popularity popularity(s.routing, s.model, s.parallelism, s.seed);
        for (std::size_t layer = 0; layer < popularity.layers(); ++layer) {
            const auto load = expected_load(popularity.common(LayerId(layer)), top_k);
            for (std::size_t f = 0; f < factors.size(); ++f) {
                const DropAndCv one = limited(load, factors[f]);
                mean[f].drop_rate += one.drop_rate / (strata * layers);
                mean[f].load_cv += one.load_cv / (strata * layers);
            }
        }
    }
    return mean;
}

std::vector<DropAndCv> routed_with_skew(Policy policy, std::int64_t experts, std::int64_t top_k, double skew,
                                        std::span<const double> factors) {
    const auto e = static_cast<std::size_t>(experts), k = static_cast<std::size_t>(top_k);
    std::vector<DropAndCv> mean = expected_with_skew(experts, top_k, skew, factors);
    for (int i = 0; i < strata; i += routed_every) {
        Scenario s = scenario_of(i, experts, top_k, skew);
        s.routing.policy = policy;
        const Popularity popularity(s.routing, s.model, s.parallelism, s.seed);
        const auto load = expected_load(popularity.common(LayerId(0)), top_k);
        const Routing routing = route_one(s, tokens);
        for (std::size_t f = 0; f < factors.size(); ++f) {
            const DropAndCv without = limited(load, factors[f]), with = limited(routing, e, k, factors[f]);
            mean[f].drop_rate += (with.drop_rate - without.drop_rate) * routed_every / strata;
            mean[f].load_cv += (with.load_cv - without.load_cv) * routed_every / strata;
        }
    }
    return mean;
}

double fitted_skew(std::int64_t experts, std::int64_t top_k, double factor, double drop_rate) {
    const auto excess = [&](double skew) {
        return expected_with_skew(experts, top_k, skew, {&factor, 1})[0].drop_rate - drop_rate;
    };
    // Regula falsi in the Illinois variant (Dowell and Jarratt, BIT 1971): the drop rate grows with the skew.
    double low = 0.05, high = 4, at_low = excess(low), at_high = excess(high);
    if (at_low > 0 || at_high < 0) throw std::runtime_error("no skew has this drop rate");
    int last = 0;
    for (int i = 0; i < 30; ++i) {
        const double middle = (low * at_high - high * at_low) / (at_high - at_low), at = excess(middle);
        if (std::abs(at) < 1e-4) return middle;
        if (at < 0) {
            low = middle, at_low = at;
            if (last < 0) at_high /= 2;
            last = -1;
        } else {
            high = middle, at_high = at;
            if (last > 0) at_low /= 2;
            last = 1;
        }
    }
    return (low + high) / 2;
}

Policy policy_of(const std::string& strategy) {
    if (strategy == "softk" || strategy == "expert-choice") return Policy::softmax_topk;
    if (strategy == "topk-hard") return Policy::hard_topk;
    if (strategy == "top1") return Policy::top1;
    if (strategy == "hash") return Policy::hash;
    throw std::runtime_error("unknown strategy " + strategy);
}

std::vector<Reproduced> reproduce(const std::vector<MeasuredRun>& runs) {
    std::vector<Reproduced> all;
    for (const MeasuredRun& fit : runs) {
        const Policy policy = policy_of(fit.strategy);
        if (policy == Policy::hash) continue;
        std::vector<MeasuredRun> same;
        std::vector<double> factors;
        for (const MeasuredRun& r : runs)
            if (r.strategy == fit.strategy && r.experts == fit.experts) {
                same.push_back(r);
                factors.push_back(r.capacity_factor);
            }
        const double skew = fitted_skew(fit.experts, fit.top_k, fit.capacity_factor, fit.drop_rate);
        const auto ours = routed_with_skew(policy, fit.experts, fit.top_k, skew, factors);
        for (std::size_t i = 0; i < same.size(); ++i) all.push_back({same[i], fit.capacity_factor, skew, ours[i]});
    }
    return all;
}

}  // namespace moesim::test
