#include "network/nccl_law.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

Seconds nccl_start_up(const NcclProfile& nccl, std::size_t ranks, Bytes of_rank) {
    const double filled = of_rank.as_double() / nccl.fill_bytes.value.as_double();
    return nccl.start_up.value + nccl.per_doubling.value * std::log2(static_cast<double>(ranks)) +
           nccl.fill.value * std::min(filled, 1.0);
}

Seconds nccl_message_start_up(const NcclProfile& nccl, Bytes message) {
    return std::min(message / nccl.short_rate.value, nccl.short_most.value);
}

Bytes nccl_on_links(const NcclProfile& nccl, Bytes message) {
    if (!nccl.flagged) return message;
    const double flags = std::min(message, nccl.flagged->size.value).as_double() * (nccl.flagged->weight.value - 1);
    return message + Bytes(std::llround(flags));
}

Bytes nccl_own_on_links(const NcclProfile& nccl, Bytes message) {
    return Bytes(std::llround(message.as_double() * nccl.own_share.value));
}

CallLimits nccl_limits(const NcclProfile& nccl, std::size_t ranks) {
    CallLimits limits;
    limits.copy = nccl.rate.value;
    limits.nvlink = nccl.rate.value;  // NCCL's own rate holds: what the port could carry is not attained
    if (nccl.host_bridge) {
        const HostBridgeProfile& b = *nccl.host_bridge;
        const double crowd = std::max(static_cast<double>(ranks) / 4, 1.0);
        limits.bridge = b.rate.value * std::pow(crowd, -b.contention.value);
        limits.bridge_gpus = static_cast<std::size_t>(b.gpus.value);
    }
    return limits;
}

}  // namespace moesim
