#pragma once
// The routing trace of Megatron-Core: --moe-routing-trace-path writes router_trace_rank{N}.jsonl, one record a line
// (megatron/core/transformer/moe/router_trace.py):
//   {"step": 0, "stage": "pre_dispatch", "block": "decoder", "layer": 3, "rank": 0, "num_tokens": 2, "topk": 2,
//    "top_indices": [[12, 45], [3, 9]]}
// What is taken for granted here:
// - A layer is (block, mtp_idx, layer); those of the decoder come first, then by name and number. "stage" and "block"
//   may be missing, as older versions left them out. Other keys (hs_offset, logit_shape, ...) are passed over.
// - A layer that comes again in the same step of a rank is of the next micro-batch: in training a step is an iteration,
//   which runs several. (Recomputed activations look the same, and count as a micro-batch.)
// - Every layer has seen the same tokens in the same order. Files of several ranks may stand one after another.
// So the tokens are ordered by step, micro-batch, rank and position; what a rank had in a step and micro-batch is a
// source.
#include <string>
#include <string_view>

#include "config/trace/trace.hpp"
#include "config/trace/trace_options.hpp"

namespace moesim {

// Throws InputError: "FILE: line N: $.key: found ..., expected ...".
RoutingTrace read_megatron_trace(std::string_view text, const std::string& file, const TraceOptions& options);

}  // namespace moesim
