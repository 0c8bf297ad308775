#pragma once
// Simulations in processes of their own, since SimGrid's clock starts once a process.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "config/scenario.hpp"

namespace moesim {

// Runs `program run` on each scenario, as many at a time as there are cores; scenario files are written into `folder`.
// [scenario]: its result document. Throws InputError with the program's message where a run fails for its input,
// CheckFailed where a check of it failed, else InternalError.
std::vector<nlohmann::json> run_apart(const std::string& program, const std::vector<Scenario>& scenarios,
                                      const std::string& folder);

// [scenario]: its makespan alone, so that very many results need not be held at once.
std::vector<Seconds> makespans_apart(const std::string& program, const std::vector<Scenario>& scenarios,
                                     const std::string& folder);

}  // namespace moesim
