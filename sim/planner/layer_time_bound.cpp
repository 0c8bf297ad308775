// What no placement of a layer can be faster than.
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "planner/layer_time.hpp"
#include "planner/traffic_bound.hpp"

namespace moesim {
namespace {

double as_double(std::size_t v) { return static_cast<double>(v); }

// The most rows that positions compute in some time, each as much as its speed lets it.
double rows_within(const StageCost& cost, std::span<const double> speeds, Seconds time, std::int64_t most) {
    double all = 0;
    for (const double speed : speeds) {
        std::int64_t fit = 0, too_many = most + 1;
        while (too_many - fit > 1) {
            const std::int64_t rows = fit + (too_many - fit) / 2;
            (cost.expert(std::array{rows}) <= time * speed ? fit : too_many) = rows;
        }
        all += static_cast<double>(fit);
    }
    return all;
}

// No sharing out of so many rows over positions of these speeds ends earlier.
Seconds least_of_shared(const StageCost& cost, std::span<const double> speeds, double rows) {
    const auto [slowest, fastest] = std::minmax_element(speeds.begin(), speeds.end());
    const auto even = static_cast<std::int64_t>(std::ceil(rows / as_double(speeds.size()) - 1e-6));
    if (even <= 0) return {};
    if (*slowest == *fastest) return cost.expert(std::array{even}) * (1 / *fastest);
    const auto all = static_cast<std::int64_t>(std::ceil(rows));
    Seconds too_short, enough = cost.expert(std::array{all}) * (1 / *fastest);
    for (int i = 0; i < 50; ++i) {
        const Seconds time = (too_short + enough) * 0.5;
        (rows_within(cost, speeds, time, all) >= rows ? enough : too_short) = time;
    }
    return too_short;
}

}  // namespace

Seconds LayerTimeModel::least_expert_time(LayerId layer, std::size_t slots, const LeastTraffic& traffic) const {
    if (!cost_.grows_with_experts()) return {};
    std::vector<std::int64_t> count(experts());
    for (std::size_t t = 0; t < tokens_; ++t)
        for (const ExpertIndex e : choices(t, layer))
            if (e != no_expert) ++count[e];
    std::sort(count.begin(), count.end());
    double rows = 0;
    std::size_t used = 0;
    for (const std::int64_t c : count) {
        rows += static_cast<double>(c) * scale_;
        used += c > 0 ? 1 : 0;
    }
    if (used == 0) return {};
    const auto speeds = speed_.row(layer.value());
    const double slowest = *std::min_element(speeds.begin(), speeds.end());
    const double fastest = *std::max_element(speeds.begin(), speeds.end());
    // The rows of each expert of a position may have been rounded down by a half.
    Seconds least = least_of_shared(cost_, speeds, rows - 0.5 * as_double(std::min(slots, experts()) * positions()));
    const std::vector<std::int64_t> each((used + positions() - 1) / positions(), 1);
    least = std::max(least, cost_.expert(each) * (1 / fastest));
    if (slots * positions() > experts()) return least;
    const auto rows_of = [&](std::int64_t c) {
        return std::max<std::int64_t>(1, std::llround(static_cast<double>(c) * scale_));
    };
    std::vector<std::int64_t> all;
    for (const std::int64_t c : count) all.push_back(c > 0 ? rows_of(c) : 0);
    std::optional<double> copies;
    // Whether copies are fewer than rows is seen after rounding, of each expert's rows and of the copies.
    if (traffic.shared * scale_ > 0.5 * as_double(slots + 1) + 1e-6)
        copies = std::max(0.0, traffic.received * scale_ / as_double(positions()) - 0.5);
    least = std::max(least, cost_.expert_at_least(all, static_cast<std::int64_t>(positions()), copies) * (1 / fastest));
    // No slot is free: `slots` experts are on every position: the lightest or heavier ones on the slowest, and all
    // but one of the lightest or heavier ones beside the heaviest.
    std::vector<std::int64_t> lightest, heaviest = {rows_of(count.back())};
    for (std::size_t e = 0; e < slots; ++e)
        if (count[e] > 0) lightest.push_back(rows_of(count[e]));
    for (std::size_t e = 0; e + 1 < slots; ++e)
        if (count[e] > 0) heaviest.push_back(rows_of(count[e]));
    least = std::max(least, cost_.expert(heaviest) * (1 / fastest));
    if (!lightest.empty()) least = std::max(least, cost_.expert(lightest) * (1 / slowest));
    return least;
}

LayerTime LayerTimeModel::bound(LayerId layer, std::size_t slots, bool traffic) const {
    const LeastTraffic least = traffic ? least_traffic(*this, layer, slots) : LeastTraffic{};
    // A little less, for sums of many terms.
    const auto link = [&](double rows, double bytes) { return link_time(rows * bytes * (1 - 1e-10)); };
    return together(link(least.out, dispatch_bytes()), least_expert_time(layer, slots, least) * (1 - 1e-10),
                    link(least.back, return_bytes()));
}

Seconds LayerTimeModel::mean_bound(std::size_t slots) const {
    std::vector<Seconds> each(layers());
    tbb::parallel_for(std::size_t{0}, layers(), [&](std::size_t l) { each[l] = bound(LayerId(l), slots).total; });
    return std::accumulate(each.begin(), each.end(), Seconds{}) * (1 / as_double(std::max<std::size_t>(layers(), 1)));
}

}  // namespace moesim
