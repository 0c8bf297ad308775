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
// above n; what is missing then goes one by one to whichever expert has the least, the first of those, and what is too
// much is taken from whichever has the most. The rank with the most rows is timed.
// That the whole group's least-loaded expert gets what is missing, not each rank's in turn, is what the tables show:
// with one token, top-8 and 2 to 32 ranks the timed rank takes as long as for eight experts.
std::vector<std::int64_t> power_law_loads(const ExpertRow& row, std::uint64_t seed);

}  // namespace moesim
