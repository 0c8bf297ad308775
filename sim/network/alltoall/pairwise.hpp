#pragma once
#include "network/alltoall/all_to_all.hpp"

namespace moesim {

// Rounds: in round r of n - 1 a rank sends to the member r places after it in its expert group, so that in each round
// everybody sends once and receives once. Up to `window` of a rank's messages are under way, later ones start as these
// arrive. So does NCCL with an all-to-all of grouped sends and receives (src/enqueue.cc; the pairwise exchange of
// Thakur, Rabenseifner and Gropp, "Optimization of Collective Communication Operations in MPICH", IJHPCA 19(1), 2005).
// The exchange has to be counted without deduplication by node.
class PairwiseAllToAll final : public AllToAll {
  public:
    PairwiseAllToAll(const RankGrid& grid, std::size_t window) : grid_(grid), window_(window) {}

  private:
    [[nodiscard]] std::vector<Message> messages(const Exchange& exchange, Bytes row) const override;
    void hold_back(std::vector<Message>& messages) const override;
    const RankGrid& grid_;
    std::size_t window_;
};

// The round in which a rank of an expert group sends to another one of it, from 1.
std::size_t round_of(const RankGrid& grid, RankId from, RankId to);

}  // namespace moesim
