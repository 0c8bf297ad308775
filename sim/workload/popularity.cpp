#include "workload/popularity.hpp"

#include <cmath>
#include <numeric>

#include "base/random.hpp"
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

std::vector<double> zipf_weights(std::size_t n, double exponent, RandomStream stream) {
    std::vector<double> weights(n);
    const auto order = random_order(n, stream);
    for (std::size_t place = 0; place < n; ++place)
        weights[order[place]] = std::pow(static_cast<double>(place + 1), -exponent);
    return weights;
}

}  // namespace

Matrix<double> layer_popularities(const std::variant<ZipfSpec, WeightsSpec>& spec, const ModelSpec& model,
                                  std::uint64_t seed) {
    const auto layers = static_cast<std::size_t>(model.moe_layers), experts = static_cast<std::size_t>(model.experts);
    Matrix<double> p(layers, experts);
    for (std::size_t layer = 0; layer < layers; ++layer) {
        const auto* zipf = std::get_if<ZipfSpec>(&spec);
        const std::vector<double> weights =
            zipf != nullptr ? zipf_weights(experts, zipf->exponent,
                                           RandomStream(stream_key(seed, purpose::popularity_order), layer))
                            : std::get<WeightsSpec>(spec).weights;
        const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
        for (std::size_t e = 0; e < experts; ++e) p(layer, e) = weights[e] / sum;
    }
    return p;
}

}  // namespace moesim
