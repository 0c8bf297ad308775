#pragma once
// Simulations in processes of their own, since SimGrid's clock starts once a process.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "config/scenario.hpp"

namespace moesim {

// Runs `program run` on each scenario, as many at a time as there are cores; scenario files are written into `folder`.
// [scenario]: its result document. Throws CheckFailed with the program's message where a run fails for its input or a
// check of it, else InternalError.
std::vector<nlohmann::json> run_apart(const std::string& program, const std::vector<Scenario>& scenarios,
                                      const std::string& folder);

// A run that may have failed: the scenario does not fit into memory, say.
// NOLINTNEXTLINE(bugprone-exception-escape): moving a JSON value throws nothing, though it is not declared so
struct RunOutcome {
    nlohmann::json result;
    std::string failure;  // empty where there is a result
};
// The same, but a run's InputError or CheckFailed is kept with it.  [scenario]
std::vector<RunOutcome> try_apart(const std::string& program, const std::vector<Scenario>& scenarios,
                                  const std::string& folder);

// [scenario]: its makespan alone, so that very many results need not be held at once; infinite where the run failed.
// Throws as run_apart() does where all fail.
std::vector<Seconds> makespans_apart(const std::string& program, const std::vector<Scenario>& scenarios,
                                     const std::string& folder);

}  // namespace moesim
