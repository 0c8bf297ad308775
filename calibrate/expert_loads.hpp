#pragma once
// Which experts the tokens of a timed expert computation went to, as the benchmarks that timed it choose them
// (ai-dynamo/aiconfigurator, collector/helper.py). All give the rows of each expert of the rank that was timed.
#include <cstdint>
#include <vector>

#include "calibrate/tables/measured_row.hpp"

namespace moesim {

// Even loads: with s = ceil(E / k), choice i of token t goes to expert (t + i s) mod E, or, with fewer than s tokens n,
// to floor(t s / n + i s) mod E. The first of the ranks is timed.
std::vector<std::int64_t> balanced_loads(const ExpertRow& row);

// One draw of skewed loads, for the same `seed` the same: x = ((b^(1-a) - 1) u + 1)^(1/(1-a)), u uniform, a the
// exponent, b = 0.8 n; where n k <= E, from 0.01 to 2 in the place of 1 to b. These are scaled to n k and rounded, none
// above n. What is then missing goes one by one to the ranks in turn, to whichever expert of the rank has the least,
// the first of those; what is too much is taken in turn from whichever has the most. Or, as loads.ranks_in_turn says,
// to and from whichever of all experts. The rank with the most rows is timed. Which of the two it was, the tables show:
// with one token, top-8 and 2 to 32 ranks, those of vLLM 0.14 have the timed rank take as long as for eight experts,
// those of SGLang 0.5.10 as long as for its share of them.
std::vector<std::int64_t> power_law_loads(const ExpertRow& row, std::uint64_t seed);

}  // namespace moesim
