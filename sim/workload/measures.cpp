#include "workload/measures.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/random.hpp"
#include "workload/alias_table.hpp"
#include "workload/purpose.hpp"

namespace moesim {
namespace {

double sum(std::span<const double> weights) { return std::accumulate(weights.begin(), weights.end(), 0.0); }

}  // namespace

Marginals::Marginals(const Matrix<std::int64_t>& joint) : rows(joint.rows()), cols(joint.cols()) {
    for (std::size_t r = 0; r < joint.rows(); ++r)
        for (std::size_t c = 0; c < joint.cols(); ++c) {
            rows[r] += static_cast<double>(joint(r, c));
            cols[c] += static_cast<double>(joint(r, c));
            total += joint(r, c);
        }
}

double entropy(std::span<const double> weights) {
    const double total = sum(weights);
    double h = 0;
    for (const double w : weights)
        if (w > 0) h += w / total * std::log(total / w);
    return h;
}

double gini(std::span<const double> weights) {
    const double total = sum(weights);
    if (total <= 0) return 0;
    std::vector<double> rising(weights.begin(), weights.end());
    std::sort(rising.begin(), rising.end());
    const auto n = static_cast<double>(rising.size());
    double g = 0;
    for (std::size_t i = 0; i < rising.size(); ++i) g += (2 * static_cast<double>(i) + 1 - n) * rising[i];
    return g / (n * total);
}

double top_tenth_share(std::span<const double> weights) {
    const double total = sum(weights);
    if (total <= 0) return 0;
    std::vector<double> falling(weights.begin(), weights.end());
    std::sort(falling.begin(), falling.end(), std::greater<>{});
    return sum(std::span(falling).first((falling.size() + 9) / 10)) / total;
}

double mutual_information(const Matrix<std::int64_t>& joint) {
    const Marginals m(joint);
    const auto total = static_cast<double>(m.total);
    double information = 0;
    for (std::size_t r = 0; r < joint.rows(); ++r)
        for (std::size_t c = 0; c < joint.cols(); ++c) {
            if (joint(r, c) == 0) continue;
            const auto n = static_cast<double>(joint(r, c));
            const double independent = m.rows[r] / total * m.cols[c];
            information += n / total * std::log(n / independent);
        }
    return std::max(information, 0.0);  // rounding can leave it below
}

double miller_madow_bias(const Matrix<std::int64_t>& joint) {
    const Marginals m(joint);
    if (m.total == 0) return 0;
    const auto seen = [](const std::vector<double>& counts) {
        return static_cast<double>(std::count_if(counts.begin(), counts.end(), [](auto n) { return n > 0; }));
    };
    return (seen(m.rows) - 1) * (seen(m.cols) - 1) / (2 * static_cast<double>(m.total));
}

double information_of_chance(const Matrix<std::int64_t>& joint) {
    constexpr std::int64_t enough = 20;
    const Marginals m(joint);
    if (m.total == 0 || m.total >= enough * static_cast<std::int64_t>(joint.values().size()))
        return miller_madow_bias(joint);
    const AliasTable row(m.rows), col(m.cols);
    RandomStream random(stream_key(0, purpose::chance), 0);
    Matrix<std::int64_t> drawn(joint.rows(), joint.cols());
    for (std::int64_t i = 0; i < m.total; ++i) {
        const std::uint32_t r = row.draw(random);
        ++drawn(r, col.draw(random));
    }
    return mutual_information(drawn);
}

}  // namespace moesim
