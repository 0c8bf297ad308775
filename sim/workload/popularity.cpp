#include "workload/popularity.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/split.hpp"
#include "workload/purpose.hpp"

namespace moesim {
namespace {

// A random order of 0..n-1 (Fisher and Yates).
std::vector<std::size_t> random_order(std::size_t n, RandomStream stream) {
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[stream.below(static_cast<std::uint32_t>(i))]);
    return order;
}

// Drawn weights are kept as logarithms until the largest is known: with small shapes or steep laws all of them may be
// too small for a number.

// Logarithm of a gamma-distributed number of scale 1 (Marsaglia and Tsang, ACM TOMS 2000; shapes below 1 by their power
// trick).
double log_gamma(double shape, RandomStream& stream) {
    if (shape < 1) {
        const double u = 1 - stream.uniform();
        return log_gamma(shape + 1, stream) + std::log(u) / shape;
    }
    const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
        const double x = stream.normal(), cube = 1 + c * x;
        if (cube <= 0) continue;
        const double v = cube * cube * cube, u = 1 - stream.uniform();
        if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
    }
}

// By inversion of the distribution function: x = ((b^(1-a) - l^(1-a)) u + l^(1-a))^(1/(1-a)).
double log_bounded_power_law(const PowerLawSpec& p, double u) {
    const double e = 1 - p.exponent;
    if (std::abs(e) < 1e-9 && p.low > 0) return std::log(p.low) + u * std::log(p.high / p.low);
    // Relative to the bound that dominates, so that nothing overflows.
    const double unit = e > 0 ? p.high : p.low;
    const double low = std::pow(p.low / unit, e), high = std::pow(p.high / unit, e);
    return std::log(unit) + std::log(std::max((high - low) * u + low, 1e-300)) / e;
}

struct BaseWeights {
    std::size_t layer, experts;
    std::uint64_t seed;

    [[nodiscard]] RandomStream stream() const { return {stream_key(seed, purpose::popularity_draw), layer}; }
    template <class Draw>
    [[nodiscard]] std::vector<double> each(Draw draw) const {
        RandomStream random = stream();
        std::vector<double> weights(experts);
        for (double& w : weights) w = draw(random);
        const double most = *std::max_element(weights.begin(), weights.end());
        for (double& w : weights) w = std::exp(w - most);
        return weights;
    }

    std::vector<double> operator()(const ZipfSpec& z) const {
        std::vector<double> weights(experts);
        const auto order = random_order(experts, {stream_key(seed, purpose::popularity_order), layer});
        for (std::size_t place = 0; place < experts; ++place)
            weights[order[place]] = std::pow(static_cast<double>(place + 1), -z.exponent);
        return weights;
    }
    std::vector<double> operator()(const DirichletSpec& d) const {
        return each([&](RandomStream& r) { return log_gamma(d.concentration, r); });
    }
    std::vector<double> operator()(const PowerLawSpec& p) const {
        return each([&](RandomStream& r) { return log_bounded_power_law(p, r.uniform()); });
    }
    std::vector<double> operator()(const LogNormalSpec& l) const {
        return each([&](RandomStream& r) { return l.sigma * r.normal(); });
    }
    std::vector<double> operator()(const WeightsSpec& w) const { return w.weights[w.weights.size() == 1 ? 0 : layer]; }
};

void normalise(std::span<double> p) {
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    if (!(sum > 0) || !std::isfinite(sum)) throw InternalError("popularities that do not sum to a number above 0");
    for (double& x : p) x /= sum;
}

// Scales what is in the set and what is not, so that the set has `share`. A set that has nothing or everything stays.
void give_share(std::span<double> p, const std::vector<std::size_t>& set, double share) {
    std::vector<bool> in(p.size());
    double inside = 0;
    for (const std::size_t e : set) in[e] = true, inside += p[e];
    const double outside = std::accumulate(p.begin(), p.end(), 0.0) - inside;
    if (inside <= 0 || outside <= 1e-12 * inside) return;
    for (std::size_t e = 0; e < p.size(); ++e) p[e] *= in[e] ? share / inside : (1 - share) / outside;
}

// What a draw makes too small to count beside the others would be possible in name only; it is raised, so that every
// expert that is not silent can be reached.
void raise_smallest(std::span<double> p) {
    const double least = *std::max_element(p.begin(), p.end()) * 1e-12;
    for (double& x : p) x = std::max(x, least);
}

// `count` of 0..n-1 without the excluded ones, drawn without replacement.
std::vector<std::size_t> draw_distinct(std::size_t n, std::size_t count, const std::vector<bool>& excluded,
                                       RandomStream stream) {
    std::vector<std::size_t> drawn;
    for (const std::size_t e : random_order(n, stream))
        if (drawn.size() < count && !excluded[e]) drawn.push_back(e);
    return drawn;
}

}  // namespace

Popularity::Popularity(const RoutingSpec& routing, const ModelSpec& model, const ParallelismSpec& parallelism,
                       std::uint64_t seed)
    : spec_(routing.popularity), seed_(seed),
      common_(static_cast<std::size_t>(model.moe_layers), static_cast<std::size_t>(model.experts)) {
    for (std::size_t layer = 0; layer < layers(); ++layer) {
        std::vector<double> p = std::visit(BaseWeights{layer, experts(), seed}, spec_.base);
        if (!std::holds_alternative<WeightsSpec>(spec_.base)) raise_smallest(p);
        if (spec_.drift > 0)
            for (std::size_t e = 0; e < p.size(); ++e) {
                // The sum of `step` normal draws, so that one step more is one draw more.
                RandomStream walk(stream_key(seed, purpose::drift, layer), e);
                double sum = 0;
                for (std::int64_t t = 0; t < routing.step; ++t) sum += walk.normal();
                p[e] *= std::exp(std::clamp(spec_.drift * sum, -25.0, 25.0));
            }
        normalise(p);
        std::vector<bool> silent(p.size());
        for (std::size_t e = 0; e < p.size(); ++e) silent[e] = p[e] <= 0;
        for (const std::size_t e : draw_distinct(p.size(), static_cast<std::size_t>(spec_.silent_experts), silent,
                                                 {stream_key(seed, purpose::silent_experts), layer}))
            silent[e] = true, p[e] = 0;
        if (const auto& hot = spec_.hot_experts) {
            const std::int64_t place = hot->move_every > 0 ? routing.step / hot->move_every : 0;
            give_share(
                p,
                draw_distinct(p.size(), static_cast<std::size_t>(hot->count), silent,
                              {stream_key(seed, purpose::hot_experts, layer), static_cast<std::uint64_t>(place)}),
                hot->share);
        }
        if (const auto& hot = spec_.hot_rank) {
            const Range range = part_of({0, model.experts}, parallelism.expert, hot->position);
            std::vector<std::size_t> set(static_cast<std::size_t>(range.size()));
            std::iota(set.begin(), set.end(), static_cast<std::size_t>(range.begin));
            give_share(p, set, hot->share);
        }
        normalise(p);
        std::copy(p.begin(), p.end(), common_.row(layer).begin());
    }
}

std::vector<double> Popularity::of_source(LayerId layer, std::size_t source) const {
    const auto row = common(layer);
    std::vector<double> p(row.begin(), row.end());
    if (!has_sources()) return p;
    RandomStream random(stream_key(seed_, purpose::source_spread, layer.value()), source);
    for (double& x : p) x *= std::exp(spec_.source_spread * random.normal());
    normalise(p);
    return p;
}

std::vector<double> Popularity::in_window(std::span<const double> mix, LayerId layer, std::size_t source,
                                          std::int64_t window) const {
    std::vector<double> p(mix.begin(), mix.end());
    const std::uint64_t key = stream_key(stream_key(seed_, purpose::burst, layer.value()), purpose::burst, source);
    RandomStream random(key, static_cast<std::uint64_t>(window));
    if (random.uniform() >= spec_.bursts->probability) return p;
    std::vector<bool> silent(p.size());
    for (std::size_t e = 0; e < p.size(); ++e) silent[e] = p[e] <= 0;
    give_share(p, draw_distinct(p.size(), static_cast<std::size_t>(spec_.bursts->count), silent, random),
               spec_.bursts->share);
    return p;
}

}  // namespace moesim
