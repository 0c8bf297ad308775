#pragma once
// What DeepEP's tests print (deepseek-ai/DeepEP, tests/test_intranode.py, test_internode.py, test_low_latency.py).
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/tables/measured_row.hpp"

namespace moesim {

// Normal kernels: the "[tuning] Best dispatch (FP8): SMs ..., t: ... us" and "Best combine" lines, with "NOTIFY + SEND
// us" as test_internode has it the second. Their shape is that of the "[config] num_tokens=, hidden=, num_topk=" line
// before them. Best lines without a time, which older versions print, and those of bf16 dispatches are passed over.
// Low-latency kernels: "[rank R] Dispatch bandwidth: ... avg_t=... us | Combine bandwidth: ... avg_t=... us", the mean
// of all ranks that printed. No line says their shape; where there is no [config] line it is the tests' default: 128
// tokens, hidden 7168, top-8. The tests' 256 (normal) and 288 (low-latency) experts are taken where [config] has none,
// and 8 ranks a node: more nodes where higher ranks print, or "num_topk_groups" is there (2).
// Throws InputError: "FILE: line N: found ..., expected ...".
std::vector<MeasuredRow> read_deepep_log(std::string_view text, const std::string& file);

}  // namespace moesim
