#include "planner/replan.hpp"

#include <utility>

namespace moesim {
namespace {

double real(std::int64_t v) { return static_cast<double>(v); }

Seconds step_time(const LayerTimeModel& model, const Placement& placement) {
    return model.mean_time(placement) * static_cast<double>(model.layers());
}

}  // namespace

bool ReplanRule::takes(Seconds saving, Seconds migration) const {
    return !hysteresis || real(steps) * saving > (1 + *hysteresis) * migration;
}

Replan replan(const Placement& held, const Placement& plan, const LayerTimeModel& model, const AlikePositions& alike,
              const Scenario& scenario, const ReplanRule& rule) {
    const Seconds before = step_time(model, held);
    const auto to = [&](Placement placement) {
        const Migration m = migration(held, placement, scenario, model.fabric());
        const Seconds saving = before - step_time(model, placement);
        return Replan{std::move(placement), m, saving, false};
    };
    const bool layers_apart = scenario.dispatch.algorithm != Algorithm::context_coherent;
    Replan best = to(relabelled(plan, held, alike, layers_apart)), other = to(plan);
    if (real(rule.steps) * other.saving - other.migration.time > real(rule.steps) * best.saving - best.migration.time)
        best = std::move(other);
    best.taken = best.placement != held && rule.takes(best.saving, best.migration.time);
    return best;
}

}  // namespace moesim
