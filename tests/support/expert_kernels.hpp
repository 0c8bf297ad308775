#pragma once
#include "config/expert_profile.hpp"

namespace moesim::test {

// A kernel "round" of bf16 whose figures make arithmetic easy: tiles of 4 x 4 x 2, weights read anew after 4 rows, a
// launch of 5 us, steps of 1 us and 2 us more from memory, tiles at 1 and rows at 2 GFLOP/s, all bytes at 1 GB/s, a
// cache of 1 B with a gain of 3, no slowdown, and parts that add up.
ExpertKernel round_kernel();

}  // namespace moesim::test
