#pragma once
#include "network/deepep_normal_law.hpp"
#include "network/library/library_call.hpp"

namespace moesim {

// DeepEP's normal kernels, for exchanges with one copy a GPU inside a node and one copy a node across nodes. What is
// forwarded inside a node goes on row by row, as it comes in; on the way back sums leave a node as their parts come in.
class DeepEpNormalLibraryCall final : public LibraryCall {
  public:
    // The fabric is referred to.
    DeepEpNormalLibraryCall(const DeepEpNormalPhase& phase, const DeepEpNormalCall& call, const Fabric& fabric)
        : phase_(phase), call_(call), fabric_(fabric) {}

    [[nodiscard]] CallLimits limits() const override { return deepep_normal_limits(phase_, call_); }
    [[nodiscard]] Bytes row() const override { return call_.row; }
    [[nodiscard]] CallMessages carry(std::vector<Message> messages, const Exchange& exchange) const override;

  private:
    DeepEpNormalPhase phase_;
    DeepEpNormalCall call_;
    const Fabric& fabric_;
};

}  // namespace moesim
