#include "calibrate/measure/stop_rule.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace moesim {

std::pair<std::size_t, std::size_t> median_interval(std::size_t n, double confidence) {
    const double tail = (1 - confidence) / 2;
    // More than a thousand tries: 2^-n is no number any more, and the normal distribution is close enough.
    if (n > 1000) {
        constexpr double two_sided_95 = 1.959964;
        const double half = std::sqrt(static_cast<double>(n)) / 2;
        const auto k = static_cast<std::size_t>(static_cast<double>(n) / 2 - two_sided_95 * half);
        return {k, n - 1 - k};
    }
    double probability = std::exp2(-static_cast<double>(n)), up_to = probability;  // P(X = k), P(X <= k)
    for (std::size_t k = 0;; ++k) {
        probability *= static_cast<double>(n - k) / static_cast<double>(k + 1);
        up_to += probability;
        if (up_to > tail || 2 * (k + 1) >= n) return {k, n - 1 - k};
    }
}

Verdict MedianWithin::after(std::span<const Seconds> samples, Seconds spent) const {
    if (samples.size() >= least_) {
        std::vector<Seconds> sorted(samples.begin(), samples.end());
        std::sort(sorted.begin(), sorted.end());
        const auto [low, high] = median_interval(sorted.size(), 0.95);
        const double median = (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]).value() / 2;
        if (sorted[low].value() >= median * (1 - share_) && sorted[high].value() <= median * (1 + share_))
            return Verdict::settled;
    }
    if (samples.size() >= most_ || (samples.size() >= 2 && spent >= budget_)) return Verdict::out_of_time;
    return Verdict::more;
}

}  // namespace moesim
