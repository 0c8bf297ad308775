#pragma once
// Placements over time: made anew every N steps from what was seen until then, at the price of a migration, and held
// against an oracle that has every step's own placement for nothing.
//
// One batch a step (study/workload_steps.hpp). The first steps are the warm-up: they are seen and never judged, and as
// many as the longest window; step 0 is the one after them. A plan that is first used for step t is learned from the
// window of steps right before t, the first plan, of step 0, as well: as many steps as its interval (of one that is
// never made anew, as the whole run), but not more than hold `tokens` tokens, and one at least.
//
// The first plan is what the model was loaded with, and costs nothing. A later one that is taken is charged with its
// whole migration in the step that it is first used for (planner/migration.hpp); making a plan takes no time. A step's
// time is its makespan, simulated.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/split.hpp"
#include "config/scenario.hpp"
#include "planner/methods.hpp"
#include "planner/replan.hpp"
#include "study/planning.hpp"

namespace moesim {

struct ReplanningOptions {
    std::vector<std::string> methods;      // names of planner_methods()
    std::int64_t steps = 1;                // that are judged
    std::vector<std::int64_t> intervals;   // steps from plan to plan; 0: no second one
    std::optional<double> hysteresis = 0;  // see ReplanRule
    PlanningOptions planning;              // its `tokens` are the most that a plan is learned from
    MethodOptions method;
    Effort effort;
    std::string program;  // that runs scenarios
    std::string folder;   // for scenarios and results
};

// The steps that a plan is learned from, counted like `first`, the step that it is first used for. most: steps that
// hold as many tokens as there may be.
Range learned_steps(std::int64_t first, std::int64_t interval, std::int64_t steps, std::int64_t most);

struct ReplannedStep {
    std::int64_t age = 0;  // steps since the plan was first used; 0 again where a new one says the same
    Seconds time, oracle;  // without the migration; of the oracle's placement
    Seconds migration;
};

struct ReplanMade {
    std::int64_t step = 0;
    Seconds saving, migration;  // as in Replan, whether it was taken or not
    std::int64_t copies = 0;
    Bytes bytes;
    bool taken = false;
};

// Steps at which a plan had an age in [from, to].
struct Staleness {
    std::int64_t from = 0, to = 0;
    std::int64_t steps = 0;
    double slower = 0;  // than the oracle, their times together: 0.1 for a tenth
};

// A method at an interval.
struct ReplannedLine {
    std::int64_t interval = 0, window = 0;  // steps
    std::vector<ReplannedStep> steps;
    std::vector<ReplanMade> replans;  // without the first plan

    [[nodiscard]] Seconds step_mean() const;
    [[nodiscard]] Seconds migration_mean() const;  // a step
    [[nodiscard]] std::int64_t taken() const;
    [[nodiscard]] std::vector<Staleness> staleness() const;  // ages 0, 1, 2 to 3, 4 to 7, ...; those that there are
};

struct ReplannedMethod {
    std::string name;
    Seconds oracle_mean;               // a step
    std::vector<ReplannedLine> lines;  // [interval]
    std::string failure;               // why there is no placement; then nothing else but the name is of use
};

struct Replanning {
    std::int64_t warm_up = 0;  // steps
    std::vector<ReplannedMethod> methods;
};

// A method that finds no placement keeps its place, with its failure. Throws InputError as planner_problem(),
// check_steps() and the runs do, where a method or an interval cannot be or is there twice, and where the hysteresis is
// negative; CheckFailed where all methods fail. `progress`: what is being done.
Replanning replan_over_time(const Scenario& scenario, const std::string& origin, const ReplanningOptions& options,
                            const std::function<void(const std::string&)>& progress);

}  // namespace moesim
