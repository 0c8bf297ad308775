#pragma once
// How long a measured kernel takes for the experts of one rank: two products of ragged groups and what is done element
// by element around them. A law of a few figures (ExpertKernel), which are fitted to timed calls.
//
// A call with rows r_e for each of the rank's experts, R in all; weights of s bytes a value; for each of the products
// N x K = (inputs inner) x hidden and hidden x inner, inputs being 2 for a gated activation, else 1:
//   waiting = ceil(K / depth) (step + far_step f)                          one tile's inner loop, were it alone
//   alone   = 2 N' K' (sum ceil(r_e / rows) rows u / tile_rate + R / row_rate)
//             N' and K' rounded up to whole columns and depths of a tile: tiles are paid for whole, filled or not;
//             u = 0.2 + 0.8 min(1, 32 / rows + 32 / columns): most of a tile's time goes into reading operands, and
//             larger ones than 64 x 64 read fewer for a product
//   work    = alone (1 + slowdown u y / (1 + y)), y = alone, of both products, over slowdown_time
//   memory  = (N K s (X + f(N K s) sum (ceil(r_e / (group rows)) - 1)) + R (K s + 2 N)) g / weight_rate
//             X: experts with rows; their weights are read anew for each group of tiles, from memory where those that
//             came in between do not fit into the cache
//   busy    = (work^q + memory^q)^(1/q), q = work_overlap: 1 where a tile cannot compute while it waits for weights
//   product = (waiting^p + busy^p)^(1/p), p = overlap: the largest counts, close ones get in each other's way
//   time    = launch + both products + A (choice_time + ((2 inputs + 1) inner + 2 hidden) 2 g s / element_rate)
//             s = 1 + element_slowdown z / (1 + z), z = (2 A max(inputs inner, hidden) / element_span)^2
// A: rows that pass the activation and the sum, in bf16. A kernel that is given all tokens of an expert-parallel group
// has all of their choices to sort and go through, those of other ranks' experts as well. f(b), the part that comes
// from memory, is x^8 / (1 + x^8), x = b / cache; f that of the working set; g = f + (1 - f) / (1 + cache_gain). Work
// slows down by how long it goes on, as clocks fall under load, and not by tokens: calls of as many tokens and rows an
// expert take up to 15% longer with all experts on one GPU than with few (H100, vLLM 0.14, bf16). u,
// from the tiles that vLLM tuned for A100: with 128 x 128 a call takes little more than half of what 64 x 64 lead to
// expect, and slows down less (0.8 of 0.5, 0.8 and 1, with all of them in sight). s: on A100 a row of 7168 takes 40 ns
// up to 3,072 tokens, where its buffers are beyond any cache already, and 77 from 16,384 on; on H100 20 and 24. The
// cause is not known.
// Without rows of any kind a call takes no time. Of one tile, time never falls with more rows, tokens or bytes; from
// tile to tile neither, as long as they get no smaller with more tokens, read no fewer operands, inner loops get no
// shorter, groups no fewer rows, and widths are whole depths of all. Where kernels take better tiles for more tokens,
// their times do fall (L40S, vLLM 0.24, Mixtral on one GPU: 8.2 ms with 1,024 tokens, 6.4 with 1,536), and so does the
// law.
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

// The tile that the kernel takes for a call: the first whose conditions hold.
const ExpertTile& expert_tile(const ExpertKernel& kernel, const ExpertCall& call);

Seconds expert_kernel_time(const ExpertKernel& kernel, const ExpertCall& call);

}  // namespace moesim
