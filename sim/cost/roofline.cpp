#include "cost/roofline.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace moesim {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
double as_double(std::int64_t v) { return static_cast<double>(v); }

}  // namespace

Seconds Roofline::memory(double bytes) const {
    return Seconds(bytes / (profile_.memory_bandwidth.value.value() * profile_.memory_efficiency.value));
}

Seconds Roofline::streaming(double bytes) const { return profile_.launch.value + memory(bytes); }

Seconds Roofline::matmul(const MatmulProfile& kind, Dtype dtype, std::span<const std::int64_t> rows, std::int64_t n,
                         std::int64_t k) const {
    std::int64_t all_rows = 0, active = 0, tiles = 0;
    for (const std::int64_t r : rows) {
        if (r == 0) continue;
        ++active;
        all_rows += r;
        tiles += ceil_div(r, kind.tile_m.value) * ceil_div(n, kind.tile_n.value);
    }
    if (active == 0) return {};
    const double elements = as_double(active) * as_double(n) * as_double(k) + as_double(all_rows) * as_double(n + k);
    return profile_.launch.value + std::max(waves(kind, dtype, tiles, k), memory(elements * bytes_of(dtype)));
}

Seconds Roofline::waves(const MatmulProfile& kind, Dtype dtype, std::int64_t tiles, std::int64_t k) const {
    const std::int64_t sms = profile_.multiprocessors.value;
    std::int64_t parts = 1;
    if (kind.split_depth) parts = std::max<std::int64_t>(1, std::min(sms / tiles, k / kind.split_depth->value));
    const double tile_flops =
        2.0 * as_double(kind.tile_m.value) * as_double(kind.tile_n.value) * as_double(k) / as_double(parts);
    const Flops padded(as_double(ceil_div(tiles, sms)) * as_double(sms) * tile_flops);
    return padded / (profile_.peak(dtype)->value * kind.efficiency.value);
}

Seconds Roofline::waves_at_least(const MatmulProfile& kind, Dtype dtype, const Means& mean, std::int64_t n,
                                 std::int64_t k) const {
    const auto tiles = static_cast<std::int64_t>(std::ceil(mean.tiles - 1e-6));
    if (tiles <= 0) return {};
    return profile_.launch.value + waves(kind, dtype, tiles * ceil_div(n, kind.tile_n.value), k);
}

Seconds Roofline::mean_at_least(const MatmulProfile& kind, Dtype dtype, const Means& mean, std::int64_t n,
                                std::int64_t k) const {
    if (mean.rows <= 0) return {};
    const Flops flops(mean.tiles * as_double(ceil_div(n, kind.tile_n.value)) * 2.0 * as_double(kind.tile_m.value) *
                      as_double(kind.tile_n.value) * as_double(k));
    const double elements = mean.groups * as_double(n) * as_double(k) + mean.rows * as_double(n + k);
    return profile_.launch.value +
           std::max(flops / (profile_.peak(dtype)->value * kind.efficiency.value), memory(elements * bytes_of(dtype)));
}

Seconds Roofline::dense(Dtype dtype, std::int64_t rows, std::int64_t n, std::int64_t k) const {
    return matmul(profile_.dense, dtype, std::array{rows}, n, k);
}

Seconds Roofline::attention(Flops flops, double bytes) const {
    const auto& peak = profile_.peak_bf16 ? profile_.peak_bf16 : profile_.peak_fp8;
    return profile_.launch.value + std::max(flops / (peak->value * profile_.attention_efficiency.value), memory(bytes));
}

}  // namespace moesim
