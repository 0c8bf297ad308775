#pragma once
#include "network/library/library_call.hpp"
#include "network/nccl_law.hpp"

namespace moesim {

// NCCL's all-to-all of grouped sends and receives. In two levels (Algorithm::hierarchical) there are two: among the
// group's members of a node, and among those of one place in their nodes, each with a start-up of its own.
class NcclLibraryCall final : public LibraryCall {
  public:
    // Grid and fabric are referred to.
    NcclLibraryCall(const NcclProfile& nccl, Algorithm algorithm, Direction direction, Bytes row, const RankGrid& grid,
                    const Fabric& fabric);

    [[nodiscard]] CallLimits limits() const override { return nccl_limits(nccl_, grid_.expert()); }
    [[nodiscard]] Bytes row() const override { return row_; }
    [[nodiscard]] CallMessages carry(std::vector<Message> messages, const Exchange& exchange) const override;

  private:
    // One call among `members` of each rank's fellows.
    struct Step {
        std::size_t first = 0, end = 0;    // its messages
        std::vector<std::size_t> members;  // [rank]
    };
    [[nodiscard]] std::vector<Step> steps(const std::vector<Message>& messages) const;

    NcclProfile nccl_;
    bool two_levels_, inside_first_;
    Bytes row_;
    const RankGrid& grid_;
    const Fabric& fabric_;
    std::vector<std::size_t> on_node_, nodes_;  // [rank]: members of its group on its node; nodes of its group
};

}  // namespace moesim
