#pragma once
// What an executed scenario has to compute, computed by one process without a message.
#include <cstdint>
#include <vector>

#include "engine/plan.hpp"
#include "kernels/backend.hpp"

namespace moesim {

// The checksum that the ranks of an execution together have (KernelWork::checksum). All tokens of a layer go through
// each expert together, and each token's results are added up where they are: no placement, chunk or copy enters. On
// the CPU, where rows do not depend on other rows, the same bits.
std::uint64_t reference_checksum(const Plan& plan, kernels::Backend& backend);
// The tokens that it is of.  [token of the batch][hidden]
std::vector<float> reference_tokens(const Plan& plan, kernels::Backend& backend);

}  // namespace moesim
