#pragma once
// Which calls of the operations of a layer are timed for a scenario.
#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/measure/kernel_calls.hpp"
#include "calibrate/measure/kernel_grid.hpp"
#include "config/kernel_profile.hpp"

namespace moesim {

struct KernelCase {
    KernelOperation operation = KernelOperation::pack;
    std::string shape;        // "hidden 1024": without the rows; what is held out as a whole
    PerQuantity counts{};     // cost/kernel_law.hpp
    std::int64_t memory = 0;  // bytes, about
    MakeCall make;
};

// Every call of a case takes other weights than the one before, so that `cold` bytes (of a cache) pass until they come
// again: a model's layers have others each. Rows stay where the last call left them, as between stages. What tables
// hold is random, the same always. Cases that need more than `memory` bytes are listed, but may not be made. All cases
// of a list share memory, and are for one backend at a time.
std::vector<KernelCase> kernel_cases(const KernelGrid& grid, std::int64_t cold, std::int64_t memory);

}  // namespace moesim
