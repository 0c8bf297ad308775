#include "cost/kernel_law.hpp"

#include <algorithm>

namespace moesim {
namespace {

using Quantity = KernelQuantity;

constexpr double value_size = 2.0, logit_size = 4.0, scale_size = 4.0;  // bytes
constexpr double chosen = 6.0, ordered = chosen + 4.0 + 4.0;  // bytes of a choice: expert and weight; slot and choice

double number(std::int64_t v) { return static_cast<double>(v); }
double& of(PerQuantity& counts, Quantity q) { return counts[static_cast<std::size_t>(q)]; }

// One call; nothing where there are no rows.
PerQuantity call(double rows, double bytes) {
    PerQuantity c{};
    if (rows == 0) return c;
    of(c, Quantity::call) = 1;
    of(c, Quantity::row) = rows;
    of(c, Quantity::byte) = bytes;
    return c;
}

}  // namespace

PerQuantity gate_counts(std::int64_t tokens, std::int64_t hidden, std::int64_t experts) {
    const double t = number(tokens), h = number(hidden), e = number(experts);
    PerQuantity c = call(t, t * (value_size * h + logit_size * e));
    if (tokens == 0) return c;
    of(c, Quantity::weight_byte) = value_size * e * h;
    of(c, Quantity::flop) = 2 * t * h * e;
    return c;
}

PerQuantity select_counts(std::int64_t tokens, std::int64_t experts, std::int64_t top_k) {
    const double t = number(tokens), k = number(top_k);
    PerQuantity c = call(t, t * (logit_size * number(experts) + chosen * k));
    of(c, Quantity::choice) = t * k;
    return c;
}

PerQuantity order_counts(std::int64_t tokens, std::int64_t top_k, std::int64_t experts, std::int64_t ranks) {
    const double choices = number(tokens) * number(top_k);
    PerQuantity c = call(number(tokens), ordered * choices);
    of(c, Quantity::choice) = choices;
    if (tokens > 0) of(c, Quantity::group) = number(experts + ranks);
    return c;
}

PerQuantity moved_counts(std::int64_t rows, std::int64_t hidden, bool fp8) {
    const double packed = fp8 ? number(hidden) + scale_size : value_size * number(hidden);
    return call(number(rows), number(rows) * (value_size * number(hidden) + packed));
}

PerQuantity expert_counts(std::span<const std::int64_t> rows, std::int64_t hidden, std::int64_t inner, bool gated) {
    double all = 0, groups = 0;
    for (const std::int64_t r : rows) {
        all += number(r);
        groups += r > 0 ? 1 : 0;
    }
    const double matrices = gated ? 3 : 2, area = matrices * number(hidden) * number(inner);
    PerQuantity c = call(all, value_size * all * (2 * number(hidden) + matrices * number(inner)));
    of(c, Quantity::group) = groups;
    of(c, Quantity::weight_byte) = value_size * area * groups;
    of(c, Quantity::flop) = 2 * area * all;
    return c;
}

PerQuantity round_counts(std::int64_t rows, std::int64_t hidden) {
    return call(number(rows), 2 * value_size * number(rows) * number(hidden));
}

PerQuantity combine_counts(std::int64_t rows, std::int64_t tokens, std::int64_t hidden) {
    if (tokens == 0) return {};
    PerQuantity c = call(number(tokens), value_size * number(hidden) * number(rows + tokens));
    of(c, Quantity::choice) = number(rows);
    return c;
}

PerQuantity residual_counts(std::int64_t tokens, std::int64_t hidden) {
    return call(number(tokens), 3 * value_size * number(tokens) * number(hidden));
}

PerQuantity dense_counts(std::int64_t rows, std::int64_t outputs, std::int64_t inputs) {
    const double n = number(rows), area = number(outputs) * number(inputs);
    PerQuantity c = call(n, value_size * n * number(outputs + inputs));
    if (rows == 0) return c;
    of(c, Quantity::weight_byte) = value_size * area;
    of(c, Quantity::flop) = 2 * n * area;
    return c;
}

PerQuantity attention_counts(std::int64_t tokens, double bytes, double flops) {
    PerQuantity c = call(number(tokens), bytes);
    if (tokens > 0) of(c, Quantity::flop) = flops;
    return c;
}

PerQuantity with_cache(PerQuantity counts, Bytes cache) {
    of(counts, Quantity::far_byte) = std::max(0.0, of(counts, Quantity::byte) - cache.as_double());
    return counts;
}

Seconds kernel_time(const KernelsProfile& kernels, KernelOperation operation, const PerQuantity& counts) {
    const KernelLaw& law = *kernels.find(operation);
    const PerQuantity all = with_cache(counts, law.cache);
    double time = 0;
    for (std::size_t q = 0; q < kernel_quantities; ++q) time += law.seconds_per[q] * all[q];
    return Seconds(time);
}

}  // namespace moesim
