#pragma once
// Attention of ranks that share sequences: keys and values go around while queries stay.
#include <span>
#include <vector>

#include "engine/task_graph.hpp"
#include "traffic/messages.hpp"

namespace moesim {

// What a rank waits for at one step of an exchange on a ring, and computes then.
struct RingStep {
    std::vector<std::size_t> arrivals;  // messages that bring it blocks
    double share = 0;                   // of the attention to all blocks, its own included
};

// [rank of the ring][step]: of two_way_ring_exchange(ranks): the first step is its own block and waits for nothing,
// step s for the blocks of the ranks s places before and after it. Each block is an equal share: of causal attention
// only where tokens are dealt out so that every rank has early and late ones (Brandon et al., "Striped Attention",
// arXiv 2311.09431).
std::vector<std::vector<RingStep>> ring_steps(std::span<const RankId> ranks, std::span<const Message> messages);

}  // namespace moesim
