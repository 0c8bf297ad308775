#pragma once
// Collectives in a number of steps that grows with the logarithm of the ranks.
#include <span>
#include <vector>

#include "traffic/messages.hpp"

namespace moesim {

// Every rank ends with the sum of all ranks' `bytes`: each half goes up a binary tree of its own and down again, in
// `pieces` (at least 1) that follow each other. A rank is a leaf in one of the trees, so that together they load all
// links alike (Sanders, Speck and Traeff, "Two-tree algorithms for full bandwidth broadcast, reduction and scan",
// Parallel Computing 35(12), 2009). A piece pays 2 ceil(log2 n) start-ups at most.
std::vector<Message> tree_all_reduce(std::span<const RankId> ranks, Bytes bytes, std::int64_t pieces);

// The count of pieces, 1 to 16, that makes the sum of start-ups and transfers smallest: with k pieces through a tree of
// depth d it takes (2 d + k - 1) (startup + bytes / (2 k rate)).
std::int64_t best_pieces(std::size_t ranks, Bytes bytes, Seconds startup, BytesPerSecond rate);

// Every rank ends with the `each` bytes of every other one: in step s it sends up to 2^s blocks, all that it has, to
// the rank 2^s places before it. ceil(log2 n) a + (n - 1) each / c, where nothing else is on the links (Bruck's
// algorithm; Thakur, Rabenseifner and Gropp, IJHPCA 19(1), 2005).
std::vector<Message> bruck_all_gather(std::span<const RankId> ranks, Bytes each);

}  // namespace moesim
