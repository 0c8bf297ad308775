#pragma once
// Traffic from a workload model.
#include <cstdint>

#include "config/trace/trace.hpp"
#include "config/workload_model.hpp"

namespace moesim {

// Tokens that the model makes, shared out among its sources in equal runs. Throws InputError where they are more than a
// trace holds.
RoutingTrace generate(const WorkloadModel& model, std::size_t tokens, std::uint64_t seed);

}  // namespace moesim
