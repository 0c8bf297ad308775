#include "calibrate/expert_loads.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.hpp"

namespace moesim {
namespace {

double real(std::int64_t v) { return static_cast<double>(v); }

// Gives `missing` to the least, one by one, the first of them first.
void fill_up(std::vector<std::int64_t>& loads, std::int64_t missing) {
    while (missing > 0) {
        const std::int64_t least = *std::min_element(loads.begin(), loads.end());
        std::int64_t next = INT64_MAX, count = 0;
        for (const std::int64_t n : loads) {
            if (n == least) ++count;
            if (n > least) next = std::min(next, n);
        }
        // Whole rounds up to the next higher load, or what there is for all of them; then the rest, one each.
        const std::int64_t rounds = std::min(next == INT64_MAX ? missing / count : next - least, missing / count);
        for (std::int64_t& n : loads) {
            if (n != least) continue;
            n += rounds;
            missing -= rounds;
            if (rounds == 0 && missing > 0) ++n, --missing;
        }
    }
}

}  // namespace

std::vector<std::int64_t> balanced_loads(const ExpertRow& r) {
    const std::int64_t stride = (r.experts + r.top_k - 1) / r.top_k;
    std::vector<std::int64_t> loads(static_cast<std::size_t>(r.experts));
    const auto choose = [&](std::int64_t expert, std::int64_t times) {
        loads[static_cast<std::size_t>(expert % r.experts)] += times;
    };
    for (std::int64_t i = 0; i < r.top_k; ++i) {
        if (r.tokens < stride) {
            for (std::int64_t t = 0; t < r.tokens; ++t) choose(t * stride / r.tokens + i * stride, 1);
            continue;
        }
        // Tokens E apart choose alike.
        for (std::int64_t t = 0; t < std::min(r.tokens, r.experts); ++t)
            choose(t + i * stride, (r.tokens - t + r.experts - 1) / r.experts);
    }
    loads.resize(static_cast<std::size_t>(r.experts / r.ranks));
    return loads;
}

std::vector<std::int64_t> power_law_loads(const ExpertRow& r, std::uint64_t seed) {
    const std::int64_t choices = r.tokens * r.top_k;
    const bool many = choices > r.experts;
    const double power = 1 - r.loads.exponent;
    const double low = std::pow(many ? 1.0 : 0.01, power), high = std::pow(many ? 0.8 * real(r.tokens) : 2.0, power);
    RandomStream random(stream_key(seed, 0), 0);
    std::vector<double> drawn(static_cast<std::size_t>(r.experts));
    for (double& x : drawn) x = std::pow((high - low) * random.uniform() + low, 1 / power);
    const double sum = std::accumulate(drawn.begin(), drawn.end(), 0.0);
    std::vector<std::int64_t> loads;
    loads.reserve(drawn.size());
    for (const double x : drawn)
        loads.push_back(std::min<std::int64_t>(r.tokens, std::llround(x / sum * real(choices))));
    std::int64_t missing = choices - std::accumulate(loads.begin(), loads.end(), std::int64_t{0});
    fill_up(loads, missing);
    for (; missing < 0; ++missing) --*std::max_element(loads.begin(), loads.end());
    // The rank with the most rows; ranks hold runs of experts.
    const auto of_rank = static_cast<std::ptrdiff_t>(r.experts / r.ranks);
    auto worst = loads.begin();
    std::int64_t most = -1;
    for (auto first = loads.begin(); first != loads.end(); first += of_rank) {
        const std::int64_t rows = std::accumulate(first, first + of_rank, std::int64_t{0});
        if (rows > most) most = rows, worst = first;
    }
    return {worst, worst + of_rank};
}

}  // namespace moesim
