#include "network/deepep_low_latency_law.hpp"

#include <algorithm>

#include "network/deepep_normal_law.hpp"

namespace moesim {

Seconds deepep_low_latency_start_up(const DeepEpLowLatencyPhase& p, const DeepEpLowLatencyCall& call) {
    Seconds t =
        p.start_up.value + p.per_expert.value * static_cast<double>(call.experts) + call.row / p.first_row_rate.value;
    if (call.across_nodes) t += p.nodes.value().start_up.value;
    return t;
}

CallLimits deepep_low_latency_limits(const DeepEpLowLatencyPhase& p, const DeepEpLowLatencyCall& call) {
    CallLimits limits;
    limits.copy = std::min(p.rate.value, p.expert_rate.value * static_cast<double>(call.experts));
    limits.nvlink = limits.copy;
    if (call.across_nodes) limits.nic = p.nodes.value().nic.value;
    return limits;
}

Bytes low_latency_fp8_row(std::int64_t hidden) { return fp8_row(hidden) + Bytes(16); }

}  // namespace moesim
