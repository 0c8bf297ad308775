#pragma once
// Simulations in processes of their own, since SimGrid's clock starts once a process.
#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "config/scenario.hpp"

namespace moesim {

// A run that may have failed: the scenario does not fit into memory, say.
// NOLINTNEXTLINE(bugprone-exception-escape): moving a JSON value throws nothing, though it is not declared so
struct RunOutcome {
    nlohmann::json result;
    std::string failure;  // empty where there is a result
};

struct NamedRun {
    std::string name;  // of its files: NAME.scenario.json, NAME.result.json
    Scenario scenario;
};

// Runs `program run` on each scenario, as many at a time as there are cores; files are written into `folder`. A run's
// InputError or CheckFailed is kept with it; else throws InternalError. ended: how many are, one call at a time. [run]
std::vector<RunOutcome> try_apart(const std::string& program, const std::vector<NamedRun>& runs,
                                  const std::string& folder, const std::function<void(std::size_t ended)>& ended = {});

// [scenario]: its makespan alone, so that very many results need not be held at once; infinite where the run failed.
// Throws CheckFailed with the program's message where all fail.
std::vector<Seconds> makespans_apart(const std::string& program, const std::vector<NamedRun>& runs,
                                     const std::string& folder,
                                     const std::function<void(std::size_t ended)>& ended = {});

}  // namespace moesim
