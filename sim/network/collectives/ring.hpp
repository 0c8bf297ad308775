#pragma once
// Collectives on a ring: every rank talks to its two neighbours only. Times are for links of rate c that nobody else
// uses, and a start-up a of each message.
#include <span>
#include <vector>

#include "traffic/messages.hpp"

namespace moesim {

// Every rank ends with the `each` bytes of every other one: n - 1 steps, (n - 1) (a + each / c) (Thakur, Rabenseifner
// and Gropp, IJHPCA 19(1), 2005). A step of a rank waits for what the step before brought it.
std::vector<Message> ring_all_gather(std::span<const RankId> ranks, Bytes each);

// Every rank ends with the sum of all ranks' `bytes`: a reduce-scatter and an all-gather of n-th parts (rounded up),
// 2 (n - 1) (a + bytes / (n c)) (Patarasuk and Yuan, J. Parallel Distrib. Comput. 69(2), 2009).
std::vector<Message> ring_all_reduce(std::span<const RankId> ranks, Bytes bytes);

// Every rank sees the block of every other one in turn, as keys and values in ring attention (Liu, Zaharia and Abbeel,
// arXiv 2310.01889), here both ways around at once: ceil((n - 1) / 2) steps. A rank's step s brings it the blocks of
// the ranks s places before and s places after it. Where both neighbours are reached over the same link, a step takes
// a + 2 block / c; where over two, a + block / c.
std::vector<Message> two_way_ring_exchange(std::span<const RankId> ranks, Bytes block);

}  // namespace moesim
