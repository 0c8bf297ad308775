#include "calibrate/expert_loads.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "base/random.hpp"

namespace moesim {
namespace {

double real(std::int64_t v) { return static_cast<double>(v); }

// Gives `missing` to the least, one by one, the first of them first.
void fill_up(std::span<std::int64_t> loads, std::int64_t missing) {
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

// The same to runs of `of_rank` experts in turn, none of which gets above `most`.
void fill_up_in_turn(std::vector<std::int64_t>& loads, std::size_t of_rank, std::int64_t missing, std::int64_t most) {
    const std::size_t ranks = loads.size() / of_rank;
    std::vector<std::int64_t> room(ranks), share(ranks);
    for (std::size_t i = 0; i < loads.size(); ++i) room[i / of_rank] += most - loads[i];
    while (missing > 0) {
        std::int64_t open = 0, least = INT64_MAX;
        for (const std::int64_t r : room)
            if (r > 0) ++open, least = std::min(least, r);
        if (open == 0) break;
        const std::int64_t rounds = std::min(least, missing / open);
        for (std::size_t r = 0; r < ranks && missing > 0; ++r) {
            if (room[r] == 0) continue;
            const std::int64_t given = std::max<std::int64_t>(1, rounds);
            share[r] += given, room[r] -= given, missing -= given;
        }
    }
    for (std::size_t r = 0; r < ranks; ++r) fill_up(std::span(loads).subspan(r * of_rank, of_rank), share[r]);
}

// Takes `surplus` off the runs in turn, each time off the most of the run.
void take_off_in_turn(std::vector<std::int64_t>& loads, std::size_t of_rank, std::int64_t surplus) {
    for (auto first = loads.begin(); surplus > 0;) {
        const auto end = first + static_cast<std::ptrdiff_t>(of_rank);
        if (const auto most = std::max_element(first, end); *most > 0) --*most, --surplus;
        first = end == loads.end() ? loads.begin() : end;
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
    const std::int64_t missing = choices - std::accumulate(loads.begin(), loads.end(), std::int64_t{0});
    const auto together = static_cast<std::size_t>(r.loads.ranks_in_turn ? r.experts / r.ranks : r.experts);
    fill_up_in_turn(loads, together, std::max<std::int64_t>(missing, 0), r.tokens);
    take_off_in_turn(loads, together, std::max<std::int64_t>(-missing, 0));
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
