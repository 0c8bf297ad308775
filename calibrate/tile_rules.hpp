#pragma once
// Ways of choosing tiles that are known of the kernels of a framework.
#include <string>
#include <vector>

#include "base/units.hpp"
#include "config/expert_profile.hpp"

namespace moesim {

// With their source; the first is the oldest. `gpu`: as of gpu_of() (predict.hpp); some rules know tiles that were
// tuned on it.
std::vector<Sourced<std::vector<ExpertTile>>> tile_rules(const std::string& framework, Dtype dtype,
                                                         const std::string& gpu);

}  // namespace moesim
