#pragma once
// moesim.result/1.
#include <nlohmann/json_fwd.hpp>

#include "result/metrics.hpp"

namespace moesim {

// The result document: metrics, the resolved scenario, seed and versions, from which the run can be repeated.
// Rank-to-rank traffic is given for up to 256 ranks, node-to-node always; the timeline for up to 64 ranks, evenly
// chosen.
nlohmann::ordered_json to_json(const Result& result, const Metrics& metrics);

}  // namespace moesim
