#pragma once
// How long DeepEP's low-latency dispatch or combine takes: what comes before the bytes, and what they share.
//
// Every choice of a token is a row of its own, sent to the expert's GPU directly, over NVLink or that GPU's own NIC:
//   start_up + per_expert E + w / first_row_rate (+ nodes.start_up where the call spans nodes)
//   + the rows on the links of with_call_limits: out of and into each GPU, its own rows included, at `rate`, but at no
//     more than expert_rate E, for few experts keep few multiprocessors busy; over NICs at `nic`
// A dispatched row has 16 bytes of header (DeepEP's csrc/kernels/internode_ll.cu); the figures are fitted to whole
// calls.
#include "network/call_links.hpp"

namespace moesim {

struct DeepEpLowLatencyCall {
    std::int64_t experts = 0;  // of the whole call
    Bytes row;
    bool across_nodes = false;  // needs the phase's `nodes`
};

// Before any byte moves.
Seconds deepep_low_latency_start_up(const DeepEpLowLatencyPhase& phase, const DeepEpLowLatencyCall& call);
CallLimits deepep_low_latency_limits(const DeepEpLowLatencyPhase& phase, const DeepEpLowLatencyCall& call);

// The bytes of a dispatched row of fp8 values: scales as fp8_row has them, and the header.
Bytes low_latency_fp8_row(std::int64_t hidden);

}  // namespace moesim
