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
    double rows = 0, padded_rows = 0, again = 0;  // how often an expert's weights are read once more, summed up
    std::int64_t active = 0;
};

Sums sums_of(const ExpertTile& tile, std::span<const std::int64_t> rows) {
    Sums s;
    for (const std::int64_t r : rows) {
        if (r == 0) continue;
        ++s.active;
        s.rows += real(r);
        s.padded_rows += real(ceil_div(r, tile.rows) * tile.rows);
        s.again += real(ceil_div(r, tile.group * tile.rows) - 1);
    }
    return s;
}

// The part of what is used again that has to come from memory, with so many bytes in between.
double from_memory(double bytes, const ExpertKernel& k) {
    const double excess = std::pow(bytes / k.cache.value.as_double(), sharpness);
    return std::isinf(excess) ? 1 : excess / (1 + excess);
}

// What a tile's products take, over those of the tiles that the rates are of.
double reading(const ExpertTile& tile) {
    return 0.2 + 0.8 * std::min(1.0, 32.0 / real(tile.rows) + 32.0 / real(tile.columns));
}

// 1 at 0, 1 + most far beyond 1.
double slower(double most, double at) { return 1 + most * (std::isinf(at) ? 1 : at / (1 + at)); }

double norm(double a, double b, double p) {
    const double largest = std::max(a, b);
    return largest == 0 ? 0 : largest * std::pow(std::pow(a / largest, p) + std::pow(b / largest, p), 1 / p);
}

}  // namespace

const ExpertTile& expert_tile(const ExpertKernel& kernel, const ExpertCall& call) {
    const auto& tiles = kernel.tiles.value;
    return *std::find_if(tiles.begin(), tiles.end() - 1, [&](const ExpertTile& t) {
        return (!t.most_tokens || call.tokens <= *t.most_tokens) &&
               (!t.most_tokens_an_expert || real(call.tokens) <= *t.most_tokens_an_expert * real(call.experts)) &&
               (!t.experts || call.experts == *t.experts) && (!t.inner || call.inner == *t.inner);
    });
}

Seconds expert_kernel_time(const ExpertKernel& k, const ExpertCall& call) {
    const ExpertTile& tile = expert_tile(k, call);
    const Sums s = sums_of(tile, call.rows);
    const double elements = std::max(call.element_rows, s.rows);
    if (elements == 0) return {};
    const std::int64_t wide_columns = (call.gated ? 2 : 1) * call.inner;
    const double hidden = real(call.hidden), inner = real(call.inner), wide = real(wide_columns);
    const double value = bytes_of(k.dtype);
    const double buffer = activation_bytes * elements * std::max(wide, hidden);
    const double working_set = real(s.active) * (wide + inner) * hidden * value + buffer +
                               activation_bytes * (s.rows * (wide + hidden) + elements * inner);
    const double far = from_memory(working_set, k), slowness = far + (1 - far) / (1 + k.cache_gain.value);

    const double read = reading(tile);
    const auto alone = [&](std::int64_t n, std::int64_t depth) {
        const double area =
            2.0 * real(ceil_div(n, tile.columns) * tile.columns) * real(ceil_div(depth, tile.depth) * tile.depth);
        return area * (s.padded_rows * read / k.tile_rate.value.value() + s.rows / k.row_rate.value.value());
    };
    const double lasting =
        (alone(wide_columns, call.hidden) + alone(call.hidden, call.inner)) / k.slowdown_time.value.value();
    const double slowdown = slower(k.slowdown.value * read, lasting);
    const auto product = [&](std::int64_t n, std::int64_t depth) {
        const double waiting =
            real(ceil_div(depth, tile.depth)) * (k.step.value.value() + k.far_step.value.value() * far);
        const double weights = real(n) * real(depth) * value;
        const double bytes = weights * (real(s.active) + from_memory(weights, k) * s.again) +
                             s.rows * (real(depth) * value + real(n) * activation_bytes);
        const double memory = bytes * slowness / k.weight_rate.value.value();
        return norm(waiting, norm(slowdown * alone(n, depth), memory, k.work_overlap.value), k.overlap.value);
    };
    const double products = s.active == 0 ? 0 : product(wide_columns, call.hidden) + product(call.hidden, call.inner);
    const double element_bytes = elements * (2 * wide + inner + 2 * hidden) * activation_bytes;
    const double span = buffer / k.element_span.value.as_double();
    const double passing =
        element_bytes * slowness * slower(k.element_slowdown.value, span * span) / k.element_rate.value.value();
    return k.launch.value + Seconds(products + elements * k.choice_time.value.value() + passing);
}

}  // namespace moesim
