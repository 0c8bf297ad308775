#pragma once
// Figures of collectives that make arithmetic easy.
#include "config/profile.hpp"

namespace moesim::test {

NcclProfile round_nccl();
DeepEpNormalPhase round_normal();
DeepEpLowLatencyPhase round_low_latency();
// ideal_profile() with all of them, both ways alike.
Profile round_profile();

}  // namespace moesim::test
