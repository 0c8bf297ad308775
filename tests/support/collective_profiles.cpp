#include "support/collective_profiles.hpp"

#include "support/scenarios.hpp"

namespace moesim::test {
namespace {

const std::string by = "a test";
Sourced<Seconds> us(double v) { return {Seconds(v * 1e-6), by}; }
Sourced<BytesPerSecond> gb(double v) { return {BytesPerSecond(v * 1e9), by}; }
Sourced<double> number(double v) { return {v, by}; }

}  // namespace

NcclProfile round_nccl() {
    return {us(5), us(1), gb(1), us(4), us(10), {Bytes(2000), by}, gb(1), number(0.5), std::nullopt, std::nullopt};
}

DeepEpNormalPhase round_normal() {
    return {us(10),    gb(1),   number(2),
            number(8), us(3),   gb(0.25),
            gb(100),   gb(0.1), DeepEpNormalPhase::Nodes{us(2), number(3), number(4), gb(0.5), gb(6), gb(0.4)}};
}

DeepEpLowLatencyPhase round_low_latency() {
    return {us(5), us(0.5), gb(1), gb(2), gb(0.1), DeepEpLowLatencyPhase::Nodes{us(6), gb(0.4)}};
}

Profile round_profile() {
    Profile p = ideal_profile();
    p.collectives = {round_nccl(), BothWays<DeepEpNormalPhase>{round_normal(), round_normal()},
                     BothWays<DeepEpLowLatencyPhase>{round_low_latency(), round_low_latency()}};
    return p;
}

}  // namespace moesim::test
