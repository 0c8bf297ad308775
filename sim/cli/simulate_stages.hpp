#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "calibrate/validate/validate_run.hpp"
#include "study/run_apart.hpp"

namespace moesim {

// What simulations of `runs`, in processes of their own, say of the stages. Files are written into `folder`; ended: how
// many are. Throws InputError with the first failure. [run]
std::vector<SimulatedStages> simulate_stages(const std::vector<NamedRun>& runs, const std::string& folder,
                                             const std::function<void(std::size_t ended)>& ended);

}  // namespace moesim
