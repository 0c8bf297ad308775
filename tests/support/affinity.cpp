#include "support/affinity.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.hpp"

namespace moesim::test {

std::vector<Matrix<double>> random_flow(std::uint64_t seed, std::size_t layers, std::size_t experts) {
    RandomStream random(stream_key(seed, 77), experts);
    std::vector<Matrix<double>> flow(layers - 1, Matrix<double>(experts, experts));
    for (auto& f : flow)
        for (std::size_t e = 0; e < experts; ++e)
            for (double& w : f.row(e)) w = std::floor(std::exp(4 * random.uniform())) - 1;
    return flow;
}

Matrix<double> random_load(std::uint64_t seed, std::size_t layers, std::size_t experts) {
    RandomStream random(stream_key(seed, 78), experts);
    Matrix<double> load(layers, experts);
    for (std::size_t l = 0; l < layers; ++l)
        for (double& w : load.row(l)) w = 1 + std::floor(std::exp(3 * random.uniform()));
    return load;
}

std::vector<std::vector<std::uint32_t>> even_layers(std::size_t experts, std::size_t positions) {
    std::vector<std::uint32_t> place;
    for (std::size_t e = 0; e < experts; ++e) place.push_back(static_cast<std::uint32_t>(e / (experts / positions)));
    std::vector<std::vector<std::uint32_t>> all;
    do all.push_back(place);
    while (std::next_permutation(place.begin(), place.end()));
    return all;
}

double least_share_by_trying(const std::vector<Matrix<double>>& flow, const Matrix<double>& cost,
                             const std::function<bool(std::size_t, const std::vector<std::uint32_t>&)>& may) {
    constexpr double none = std::numeric_limits<double>::infinity();
    const auto ways = even_layers(flow[0].rows(), cost.rows());
    std::vector<double> least(ways.size());
    double tokens = 0;
    for (std::size_t i = 0; i < ways.size(); ++i) least[i] = may(0, ways[i]) ? 0 : none;
    for (std::size_t l = 0; l < flow.size(); ++l) {
        for (const double w : flow[l].values()) tokens += w;
        std::vector<double> next(ways.size(), none);
        for (std::size_t j = 0; j < ways.size(); ++j) {
            if (!may(l + 1, ways[j])) continue;
            for (std::size_t i = 0; i < ways.size(); ++i) {
                if (least[i] == none) continue;
                double sum = least[i];
                for (std::size_t e = 0; e < flow[l].rows(); ++e)
                    for (std::size_t f = 0; f < flow[l].cols(); ++f)
                        sum += flow[l](e, f) * cost(ways[i][e], ways[j][f]);
                next[j] = std::min(next[j], sum);
            }
        }
        least.swap(next);
    }
    return *std::min_element(least.begin(), least.end()) / tokens;
}

}  // namespace moesim::test
