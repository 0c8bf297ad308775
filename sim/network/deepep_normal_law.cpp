#include "network/deepep_normal_law.hpp"

#include <cmath>

namespace moesim {
namespace {

// x / (x + half) of the time that rows_in_flight rows take one multiprocessor.
Seconds filling(double rows_in_flight, double half_rows, BytesPerSecond sm_rate, const DeepEpNormalCall& call,
                double rows) {
    const double x = rows / (call.multiprocessors / 2);
    return call.row / sm_rate * (rows_in_flight * x / (x + half_rows));
}

}  // namespace

Seconds deepep_normal_start_up(const DeepEpNormalPhase& p, const DeepEpNormalCall& call, double rows) {
    const Seconds first = p.start_up.value + call.row / p.first_row_rate.value;
    if (!call.across_nodes)
        return first + filling(p.rows_in_flight.value, p.half_rows.value, p.sm_rate.value, call, rows);
    const auto& n = p.nodes.value();
    return first + n.start_up.value + filling(n.rows_in_flight.value, n.half_rows.value, n.sm_rate.value, call, rows);
}

Seconds deepep_normal_least(const DeepEpNormalPhase& p, const DeepEpNormalCall& call, Bytes results) {
    if (!p.reduce_rate) return {};
    return results / (p.reduce_rate->value * call.multiprocessors);
}

CallLimits deepep_normal_limits(const DeepEpNormalPhase& p, const DeepEpNormalCall& call) {
    CallLimits limits;
    limits.nvlink = p.nvlink.value;
    if (call.across_nodes) {
        const auto& n = p.nodes.value();
        const double apart = n.sm_rate.value.value() * call.multiprocessors;
        limits.copy = BytesPerSecond(1 / (1 / apart + 1 / n.shared_rate.value.value()));
        limits.copies_inside = false;
        limits.nic = n.nic.value;
        return limits;
    }
    const double row_time = std::hypot(p.row_time.value.value(), (call.row / p.sm_rate.value).value());
    limits.copy = BytesPerSecond(call.row.as_double() / row_time) * call.multiprocessors;
    return limits;
}

Bytes fp8_row(std::int64_t hidden) { return Bytes(hidden + (hidden + 127) / 128 * 4); }

}  // namespace moesim
