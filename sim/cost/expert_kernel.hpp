#pragma once
// How long a measured kernel takes for the experts of one rank: two products of ragged groups and what is done element
// by element around them. A law of a few figures (ExpertKernel), which are fitted to timed calls.
//
// A call with rows r_e for each of the rank's experts, R in all; weights of s bytes a value; for each of the products
// N x K = (inputs inner) x hidden and hidden x inner, inputs being 2 for a gated activation, else 1:
//   waiting = ceil(K / depth) (step + far_step f)                          one tile's inner loop, were it alone
//   alone   = 2 N' K' (sum ceil(r_e / rows) rows / tile_rate + R / row_rate)
//             N' and K' rounded up to whole columns and depths of a tile: tiles are paid for whole, filled or not
//   work    = alone (1 + slowdown y / (1 + y)), y = alone, of both products, over slowdown_time
//   memory  = (N K s sum ceil(r_e / reread_rows) + R (K s + 2 N)) g / weight_rate
//   busy    = (work^q + memory^q)^(1/q), q = work_overlap: 1 where a tile cannot compute while it waits for weights
//   product = (waiting^p + busy^p)^(1/p), p = overlap: the largest counts, close ones get in each other's way
//   time    = launch + both products + A (choice_time + ((2 inputs + 1) inner + 2 hidden) 2 g / element_rate)
// A: rows that pass the activation and the sum, in bf16. A kernel that is given all tokens of an expert-parallel group
// has all of their choices to sort and go through, those of other ranks' experts as well. f, the part that comes from
// memory, is x^8 / (1 + x^8), x the working set over `cache`; g = f + (1 - f) / (1 + cache_gain). Work slows down by
// how long it goes on, as clocks fall under load, and not by tokens: calls of as many tokens and rows an expert take
// up to 15% longer with all experts on one GPU than with few (H100, vLLM 0.14, bf16).
// Without rows of any kind a call takes no time. Time never falls with more rows, tokens or bytes as long as tiles get
// no smaller with more tokens, inner loops no shorter, and widths are whole depths of all tiles.
#include <cstdint>
#include <span>

#include "base/units.hpp"
#include "config/expert_profile.hpp"

namespace moesim {

struct ExpertCall {
    std::int64_t hidden = 0, inner = 0;
    bool gated = true;
    std::int64_t tokens = 0, experts = 1;  // given to the kernel, and on the rank: what it chooses its tile by
    double element_rows = 0;               // A
    std::span<const std::int64_t> rows;    // of the experts of the rank; those without may be left out
};

// The tile that the kernel takes for so many tokens, with so many experts on the rank.
const ExpertTile& expert_tile(const ExpertKernel& kernel, std::int64_t tokens, std::int64_t experts);

Seconds expert_kernel_time(const ExpertKernel& kernel, const ExpertCall& call);

}  // namespace moesim
