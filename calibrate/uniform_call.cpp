#include "calibrate/uniform_call.hpp"

#include <algorithm>
#include <cmath>

#include "network/busiest_link.hpp"
#include "network/deepep_low_latency_law.hpp"
#include "network/deepep_normal_law.hpp"
#include "network/nccl_law.hpp"

namespace moesim {
namespace {

constexpr std::size_t gpus_per_node = 8;

// Its ports are as fast as the laws say; its leaf switches hold back nothing.
Fabric cluster(std::size_t ranks) {
    TopologySpec t;
    t.nvlink = t.nic = t.uplink = {BytesPerSecond(1e15), Seconds{}};
    t.gpus_per_node = static_cast<std::int64_t>(std::min(ranks, gpus_per_node));
    t.nodes = t.nodes_per_leaf = static_cast<std::int64_t>((ranks + gpus_per_node - 1) / gpus_per_node);
    if (t.nodes > 1) t.kind = TopologyKind::fat_tree;
    return build_fabric(t);
}

// A list of messages that all start together.
class Exchange {
  public:
    Exchange(const Profile& profile, std::size_t ranks, const CallLimits& limits)
        : fabric_(with_call_limits(cluster(ranks), limits)), model_(fabric_, without_link_losses(profile)),
          loads_(fabric_, model_) {}

    void add(std::size_t from, std::size_t to, double bytes) {
        loads_.add({RankId(from), RankId(to), Bytes(std::llround(bytes))});
    }
    [[nodiscard]] std::size_t ranks() const { return fabric_.ranks(); }
    [[nodiscard]] Seconds busiest() const { return loads_.busiest(); }

  private:
    Fabric fabric_;
    MessageModel model_;
    LinkLoads loads_;
};

}  // namespace

Seconds predict_nccl(const Profile& profile, const NcclCall& call) {
    const NcclProfile& nccl = profile.collectives.nccl.value();
    const Bytes message(call.bytes.value() / static_cast<std::int64_t>(call.ranks));
    Exchange exchange(profile, call.ranks, nccl_limits(nccl, call.ranks));
    for (std::size_t from = 0; from < call.ranks; ++from)
        for (std::size_t to = 0; to < call.ranks; ++to)
            exchange.add(from, to,
                         (from == to ? nccl_own_on_links(nccl, message) : nccl_on_links(nccl, message)).as_double());
    return nccl_start_up(nccl, call.ranks, call.bytes) + nccl_message_start_up(nccl, message) + exchange.busiest();
}

Seconds predict_deepep_normal(const Profile& profile, const DeepEpCall& c) {
    const auto& both = profile.collectives.deepep_normal.value();
    const DeepEpNormalPhase& phase = c.combine ? both.combine : both.dispatch;
    const Bytes result(2 * c.hidden);
    const DeepEpNormalCall call{c.multiprocessors, c.combine ? result : fp8_row(c.hidden), c.nodes > 1};
    const double tokens = static_cast<double>(c.tokens), row = call.row.as_double();
    const double gpu_rows = tokens * expected_gpus(c), node_rows = tokens * expected_nodes(c);
    Exchange exchange(profile, static_cast<std::size_t>(c.ranks()), deepep_normal_limits(phase, call));
    for (std::size_t r = 0; r < exchange.ranks(); ++r) {
        const std::size_t node = r / gpus_per_node * gpus_per_node;
        // Inside the node: a GPU's own tokens' rows, or what it forwards, which on average is as much.
        for (std::size_t to = node; to < node + gpus_per_node; ++to)
            if (to != r || c.nodes == 1) exchange.add(r, to, gpu_rows * row / gpus_per_node);
        // Over NICs to the GPUs of the same place; the own node's rows are copied as well.
        for (std::size_t to = r % gpus_per_node; to < exchange.ranks() && c.nodes > 1; to += gpus_per_node)
            exchange.add(r, to, node_rows * row / static_cast<double>(c.nodes));
    }
    const double rows = c.nodes > 1 ? node_rows : gpu_rows;
    const Seconds least = deepep_normal_least(phase, call, Bytes(result.value() * c.tokens));
    return deepep_normal_start_up(phase, call, rows) + std::max(least, exchange.busiest());
}

Seconds predict_deepep_low_latency(const Profile& profile, const DeepEpCall& c) {
    const auto& both = profile.collectives.deepep_low_latency.value();
    const DeepEpLowLatencyPhase& phase = c.combine ? both.combine : both.dispatch;
    const DeepEpLowLatencyCall call{c.experts, c.combine ? Bytes(2 * c.hidden) : low_latency_fp8_row(c.hidden),
                                    c.nodes > 1};
    Exchange exchange(profile, static_cast<std::size_t>(c.ranks()), deepep_low_latency_limits(phase, call));
    const double to_each = static_cast<double>(c.tokens * c.top_k * call.row.value()) / static_cast<double>(c.ranks());
    for (std::size_t from = 0; from < exchange.ranks(); ++from)
        for (std::size_t to = 0; to < exchange.ranks(); ++to) exchange.add(from, to, to_each);
    return deepep_low_latency_start_up(phase, call) + exchange.busiest();
}

}  // namespace moesim
