#pragma once
// Whether a new placement is worth the way to it.
#include <cstdint>
#include <optional>

#include "planner/layer_time.hpp"
#include "planner/migration.hpp"
#include "planner/relabel.hpp"

namespace moesim {

struct ReplanRule {
    std::int64_t steps = 1;  // until the next re-plan
    // By which part more than its migration costs a placement has to save in those steps; nothing: it is always taken.
    std::optional<double> hysteresis = 0;
    // Whether a placement that saves so much a step is taken: steps * saving > (1 + hysteresis) * migration.
    [[nodiscard]] bool takes(Seconds saving, Seconds migration) const;
};

struct Replan {
    Placement placement;  // the plan, relabelled or as it was
    Migration migration;  // from what is held to it
    Seconds saving;       // of a step, over all layers; less than 0 where it is slower than what is held
    bool taken = false;   // never where it is what is held already
};

// Of the plan and the plan relabelled (relabel.hpp; layers apart unless tokens stay with their experts), the one that
// takes less time over the rule's steps, its migration included, is held against `held`. A step's time is what the
// model says of the tokens that it looks at, which know nothing of what is to come. Throws as migration() does.
Replan replan(const Placement& held, const Placement& plan, const LayerTimeModel& model, const AlikePositions& alike,
              const Scenario& scenario, const ReplanRule& rule);

}  // namespace moesim
