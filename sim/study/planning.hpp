#pragma once
// What planners are given for a scenario, and the scenarios that judge what they give back.
#include <optional>
#include <string>
#include <vector>

#include "config/placement_document.hpp"
#include "config/scenario.hpp"
#include "config/trace/trace.hpp"
#include "planner/methods.hpp"

namespace moesim {

inline constexpr std::size_t learned_block =
    512;  // tokens: of a recorded routing even blocks are learned from, odd judged

struct PlanningOptions {
    std::string learn;             // a recorded routing to learn from; empty: the scenario's own routing
    std::int64_t tokens = 65'536;  // of the scenario's own routing to learn from, in whole sequences
    std::size_t redundant = 0;     // copies of experts beyond one each, of a layer
};

// Of a scenario that replays a recorded routing, its even blocks of tokens; else the tokens that come first in its
// routing. Positions are the GPUs of the first expert-parallel group with tensor index 0. Throws InputError where the
// redundant copies do not fill slots evenly, or the routing to learn from does not fit the model.
PlannerProblem planner_problem(const Scenario& scenario, const std::string& origin, const PlanningOptions& options);
// The same with a workload of its own: `learned` is all that planners see. The redundant copies are the options'.
PlannerProblem planner_problem(const Scenario& scenario, const PlanningOptions& options, RoutingTrace learned);

// What cost rules and the search for the least layer time are given: a batch of the scenario.
MethodOptions method_options(const Scenario& scenario, MethodOptions options);

// The same scenario over batches that are learned from, as many as there are tokens for, one at least and `most` at
// most: of a recorded routing, the file of which is written into `folder`; else of its first tokens.  [batch]
std::vector<Scenario> learned_batches(const Scenario& scenario, const std::string& origin,
                                      const PlanningOptions& options, std::size_t most, const std::string& folder);

// Of a recorded routing, the tokens to judge by: batches beyond them begin again. Throws InputError where there are
// none.
std::optional<std::int64_t> recorded_to_judge(const Scenario& scenario, const std::string& origin,
                                              const PlanningOptions& options);

// The same scenario over batches that nothing was learned from: of a recorded routing odd blocks, which are written
// into `folder`; else tokens that come after those learned from.  [batch]
std::vector<Scenario> judged_batches(const Scenario& scenario, const std::string& origin,
                                     const PlanningOptions& options, std::size_t batches, const std::string& folder);

// A method's placement with what it is and whence. `origin`: the scenario's file.
PlacementDocument planned_document(const PlannerResult& result, const PlannerMethod& method, const Scenario& scenario,
                                   const std::string& origin, const PlannerProblem& problem,
                                   const PlanningOptions& options);

}  // namespace moesim
