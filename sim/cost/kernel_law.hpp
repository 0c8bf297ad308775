#pragma once
// What the operations of a layer count as in a law of timed kernels (config/kernel_profile.hpp), and how long they
// take by it. The fit of a law (calibrate/measure) and the simulator count alike. Rows are stored as bf16, 2 bytes a
// value; logits are fp32; a choice is an expert (2 bytes), a weight and its places in the order of sending (4 each).
//
//   gate_logits     T tokens, H wide, E experts: row T; byte 2 T H + 4 T E; weight_byte 2 E H; flop 2 T H E
//   select          row T; choice T k; byte 4 T E + 6 T k
//   order_by_*      T k choices for E experts on R ranks: row T; choice T k; group E + R; byte 14 T k
//   pack, unpack    row n; byte n H (2 + 2), with fp8 and a scale a row n (H (2 + 1) + 4)
//   expert_forward  r_e rows an expert, R in all; m matrices H x F: 3 of a gated expert, else 2: group experts with
//                   rows; row R; byte 2 R (2 H + m F); weight_byte 2 m H F a group; flop 2 m H F R
//   round_rows      row n; byte 4 n H                (read and written in place)
//   combine         n rows summed to T: row T; choice n; byte 2 H (n + T)
//   add_residual    row T; byte 6 T H
//   dense           n rows, K -> N: row n; byte 2 n (N + K); weight_byte 2 N K; flop 2 n N K
//   attention       n tokens: row n; byte and flop as the roofline has them (cost/stage_cost.cpp)
// All have call 1, and far_byte what `byte` is beyond the law's cache; without rows (combine: without tokens) there is
// none.
#include <cstdint>
#include <span>

#include "base/units.hpp"
#include "config/kernel_profile.hpp"

namespace moesim {

PerQuantity gate_counts(std::int64_t tokens, std::int64_t hidden, std::int64_t experts);
PerQuantity select_counts(std::int64_t tokens, std::int64_t experts, std::int64_t top_k);
PerQuantity order_counts(std::int64_t tokens, std::int64_t top_k, std::int64_t experts, std::int64_t ranks);
// Of pack, and of unpack.
PerQuantity moved_counts(std::int64_t rows, std::int64_t hidden, bool fp8);
PerQuantity expert_counts(std::span<const std::int64_t> rows, std::int64_t hidden, std::int64_t inner, bool gated);
PerQuantity round_counts(std::int64_t rows, std::int64_t hidden);
PerQuantity combine_counts(std::int64_t rows, std::int64_t tokens, std::int64_t hidden);
PerQuantity residual_counts(std::int64_t tokens, std::int64_t hidden);
PerQuantity dense_counts(std::int64_t rows, std::int64_t outputs, std::int64_t inputs);
PerQuantity attention_counts(std::int64_t tokens, double bytes, double flops);

// With far_byte set for a cache of that size.
PerQuantity with_cache(PerQuantity counts, Bytes cache);

// 0 without counts. The profile must have a law of the operation.
Seconds kernel_time(const KernelsProfile& kernels, KernelOperation operation, const PerQuantity& counts);

}  // namespace moesim
