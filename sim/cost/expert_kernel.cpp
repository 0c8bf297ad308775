#include "cost/expert_kernel.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {
namespace {

constexpr double activation_bytes = 2.0;  // bf16
// How sharply a working set leaves the cache: measured times of kernels that are repeated on the same data rise within
// a factor of 1.5 of it.
constexpr int sharpness = 8;

double real(std::int64_t v) { return static_cast<double>(v); }
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// What both products share.
struct Sums {
    double rows = 0, padded_rows = 0, readings = 0;  // of weights: how often one expert's are read, summed up
    std::int64_t active = 0;
};

Sums sums_of(const ExpertKernel& k, const ExpertTile& tile, std::span<const std::int64_t> rows) {
    Sums s;
    for (const std::int64_t r : rows) {
        if (r == 0) continue;
        ++s.active;
        s.rows += real(r);
        s.padded_rows += real(ceil_div(r, tile.rows) * tile.rows);
        s.readings += real(ceil_div(r, k.reread_rows.value));
    }
    return s;
}

// The part of what is used again that has to come from memory, with so many bytes in between.
double from_memory(double bytes, const ExpertKernel& k) {
    const double excess = std::pow(bytes / k.cache.value.as_double(), sharpness);
    return std::isinf(excess) ? 1 : excess / (1 + excess);
}

}  // namespace

const ExpertTile& expert_tile(const ExpertKernel& kernel, std::int64_t tokens, std::int64_t experts) {
    const auto& tiles = kernel.tiles.value;
    return *std::find_if(tiles.begin(), tiles.end() - 1, [&](const ExpertTile& t) {
        if (t.most_tokens) return tokens <= *t.most_tokens;
        return real(tokens) <= t.most_tokens_an_expert.value_or(0) * real(experts);
    });
}

Seconds expert_kernel_time(const ExpertKernel& k, const ExpertCall& call) {
    const ExpertTile& tile = expert_tile(k, call.tokens, call.experts);
    const Sums s = sums_of(k, tile, call.rows);
    const double elements = std::max(call.element_rows, s.rows);
    if (elements == 0) return {};
    const std::int64_t inputs = call.gated ? 2 : 1;
    const double hidden = real(call.hidden), inner = real(call.inner), wide = real(inputs) * inner;
    const double value = bytes_of(k.dtype);
    const double buffer = activation_bytes * elements * std::max(wide, hidden);
    const double working_set = real(s.active) * (wide + inner) * hidden * value + buffer +
                               activation_bytes * (s.rows * (wide + hidden) + elements * inner);
    const double far = from_memory(working_set, k), slowness = far + (1 - far) / (1 + k.cache_gain.value);
    const double crowd = std::pow(real(call.tokens) / k.crowd_tokens.value, 2);
    const double crowding = 1 + k.crowding.value * (std::isinf(crowd) ? 1 : crowd / (1 + crowd));

    const auto product = [&](std::int64_t n, std::int64_t depth) {
        if (s.active == 0) return 0.0;
        const std::int64_t steps = ceil_div(depth, tile.depth);
        const double waiting = real(steps) * (k.step.value.value() + k.far_step.value.value() * far);
        const double area = 2.0 * real(ceil_div(n, tile.columns) * tile.columns) * real(steps * tile.depth);
        const double work =
            crowding * area * (s.padded_rows / k.tile_rate.value.value() + s.rows / k.row_rate.value.value());
        const double bytes =
            real(n) * real(depth) * value * s.readings + s.rows * (real(depth) * value + real(n) * activation_bytes);
        const double memory = bytes * slowness / k.weight_rate.value.value();
        const double largest = std::max({waiting, work, memory}), p = k.overlap.value;
        if (largest == 0) return 0.0;
        return largest *
               std::pow(std::pow(waiting / largest, p) + std::pow(work / largest, p) + std::pow(memory / largest, p),
                        1 / p);
    };
    const double element_bytes = elements * (2 * wide + inner + 2 * hidden) * activation_bytes;
    return k.launch.value + Seconds(product(inputs * call.inner, call.hidden) + product(call.hidden, call.inner) +
                                    element_bytes * slowness / k.element_rate.value.value());
}

}  // namespace moesim
