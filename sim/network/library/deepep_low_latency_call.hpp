#pragma once
#include "network/deepep_low_latency_law.hpp"
#include "network/library/library_call.hpp"

namespace moesim {

// DeepEP's low-latency kernels, for the exchanges of LowLatencyAllToAll: rows for a rank's own experts are copied as
// those for others are.
class DeepEpLowLatencyLibraryCall final : public LibraryCall {
  public:
    DeepEpLowLatencyLibraryCall(const DeepEpLowLatencyPhase& phase, const DeepEpLowLatencyCall& call)
        : phase_(phase), call_(call) {}

    [[nodiscard]] CallLimits limits() const override { return deepep_low_latency_limits(phase_, call_); }
    [[nodiscard]] Bytes row() const override { return call_.row; }
    [[nodiscard]] CallMessages carry(std::vector<Message> messages, const Exchange& exchange) const override;

  private:
    DeepEpLowLatencyPhase phase_;
    DeepEpLowLatencyCall call_;
};

}  // namespace moesim
