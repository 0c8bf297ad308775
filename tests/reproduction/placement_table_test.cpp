// The goals of the table of placements (placement_table.hpp), by searches that are shorter than those it prints.
#include "reproduction/placement_table.hpp"

#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::test;

TEST_CASE("placements that keep tokens on their GPU, judged on tokens that were not learned from", "[reproduction]") {
    for (const PlacementGoal& goal : placement_goals()) {
        const auto f = place_by_affinity(goal, {0, {}, 16'000'000});
        if (!f) {
            WARN("skipped: " << recorded_routings() << " is not there");
            return;
        }
        INFO(goal.trace << " on " << goal.gpus << " GPUs: " << f->judged.crossing << " at " << f->judged.imbalance);
        CHECK(f->judged.crossing <= goal.crossing);
        if (goal.imbalance > 0) CHECK(f->judged.imbalance <= goal.imbalance);
        CHECK(f->learned.imbalance <= goal.load_limit + 1e-9);
        CHECK(f->bound <= f->learned.crossing);
        CHECK(f->contiguous.crossing > 0.74);  // as if there were no affinity: (GPUs - 1) / GPUs
    }
}

TEST_CASE("placements that send tokens to few GPUs, judged on tokens that were not learned from", "[reproduction]") {
    const Effort effort{0, {}, 400'000};
    const auto classical = place_by_destinations("law", 8, 1.16, Dispatch::classical, effort);
    if (!classical) {
        WARN("skipped: " << recorded_routings() << " is not there");
        return;
    }
    const auto coherent = place_by_destinations("law", 8, 1.16, Dispatch::coherent, effort);
    INFO(classical->change() << " and " << coherent->change());
    CHECK(classical->change() <= -0.24);
    CHECK(coherent->change() <= -0.32);
    CHECK(classical->judged.imbalance <= 1.20);
    CHECK(coherent->judged.imbalance <= 1.20);
}

TEST_CASE("a placement learned on two tasks serves both; learned on one, the other less", "[reproduction]") {
    const auto rows = across_tasks("law", "summary", 8, 1.1, {0, {}, 4'000'000});
    if (rows.empty()) {
        WARN("skipped: " << recorded_routings() << " is not there");
        return;
    }
    const AcrossTasks &law = rows[0], &summary = rows[1], &both = rows[2];
    CHECK(law.first.crossing < summary.first.crossing);
    CHECK(summary.second.crossing < law.second.crossing);
    CHECK(both.first.crossing < summary.first.crossing);
    CHECK(both.second.crossing < law.second.crossing);
    // The worst is that loads are not what they were: uneven as contiguous placement is.
    CHECK(law.second.imbalance > 1.2);
    CHECK(both.second.imbalance < law.second.imbalance);
}
