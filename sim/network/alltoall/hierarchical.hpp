#pragma once
#include "cost/roofline.hpp"
#include "network/alltoall/all_to_all.hpp"
#include "network/alltoall/node_members.hpp"

namespace moesim {

// Two levels: inside each node everything goes to the member that has the destination's place there; that member sends
// what it collected for each other node in one message to the member of its own place. So 2DH all-to-all (Hwang et al.,
// "Tutel", arXiv 2206.03382, section 3.4) turns n - 1 messages of a rank into (members of a node - 1) + (nodes - 1),
// of which the latter are larger by the members of a node. Before each of the two steps a rank copies what it sends
// into one piece for each destination: four kernels. The second step waits for all that the first brings. Both are
// sent in rounds, as `pairwise` does. The return goes the same ways backwards. The exchange has to be counted without
// deduplication by node.
class HierarchicalAllToAll final : public AllToAll {
  public:
    HierarchicalAllToAll(const RankGrid& grid, const Fabric& fabric, const Roofline& roofline, std::size_t window)
        : grid_(grid), fabric_(fabric), members_(grid, fabric), roofline_(roofline), window_(window) {}

    // What arrives in the first step for the second one, and the copies that the second one sends.
    [[nodiscard]] std::vector<std::int64_t> staged_rows(const Exchange& exchange) const override;
    [[nodiscard]] Launches launches() const override { return {4, 4}; }

  private:
    [[nodiscard]] std::vector<Message> messages(const Exchange& exchange, Bytes row) const override;
    void hold_back(std::vector<Message>& messages) const override;
    void copy_first(std::span<Message> step) const;
    const RankGrid& grid_;
    const Fabric& fabric_;
    NodeMembers members_;
    Roofline roofline_;
    std::size_t window_;
};

}  // namespace moesim
