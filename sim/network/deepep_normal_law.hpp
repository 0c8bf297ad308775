#pragma once
// How long DeepEP's normal dispatch or combine takes: what comes before the bytes, and what they share.
//
// One rank sends N rows of w bytes through S multiprocessors, S/2 channels:
//   start_up + w / first_row_rate                                         the first row crosses an empty pipeline
//   + rows_in_flight w / sm_rate x / (x + half_rows), x = N / (S/2)       the channels' pipelines fill once
//   + the rows on the links of with_call_limits: the multiprocessors copy a row in
//       sqrt(row_time^2 + (w / sm_rate)^2) / S   inside a node,
//       w / sm_rate / S + w / shared_rate        across nodes: what the channels have in common (memory, the NIC's
//                                                queue) serves them in turn; each more brings less than the one before
// Inside a node N counts (token, GPU) pairs, the GPU's own included. Across nodes it counts (token, node) pairs, the
// own node included (a message to oneself); they go over the NICs between GPUs of the same place, and what is forwarded
// inside nodes takes NVLink only. In combine a rank also sums up its results: no rank ends before deepep_normal_least.
// Structure: DeepEP's csrc/kernels/intranode.cu and internode.cu; the figures of a profile are fitted to whole calls.
#include "network/call_links.hpp"

namespace moesim {

struct DeepEpNormalCall {
    double multiprocessors = 24;
    Bytes row;
    bool across_nodes = false;  // needs the phase's `nodes`
};

// Before any byte of a rank that sends `rows` moves.
Seconds deepep_normal_start_up(const DeepEpNormalPhase& phase, const DeepEpNormalCall& call, double rows);
// The least time from there to its end for a rank that gets `results` bytes of sums; 0 without a reduce_rate.
Seconds deepep_normal_least(const DeepEpNormalPhase& phase, const DeepEpNormalCall& call, Bytes results);
CallLimits deepep_normal_limits(const DeepEpNormalPhase& phase, const DeepEpNormalCall& call);

// The bytes of a row that is sent as fp8: a scale of 4 bytes comes with each 128 values.
Bytes fp8_row(std::int64_t hidden);

}  // namespace moesim
