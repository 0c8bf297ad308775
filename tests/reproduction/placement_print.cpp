// The part of print.cpp about placements.
#include <fmt/format.h>

#include <cstdio>

#include "reproduction/placement_table.hpp"

namespace moesim::test {
namespace {

constexpr std::int64_t proposals = 100'000'000, destination_proposals = 5'000'000;

std::string cell(const Judged& j) { return fmt::format("{:.3f} ({:.3f})", j.crossing, j.imbalance); }

void print_row(const PlacementGoal& goal) {
    const auto f = place_by_affinity(goal, {0, {}, proposals});
    if (!f) return;
    fmt::print("  {:8} {:4}  {}  {}  {:5.3f}  {:5.3f}  {}  {}  {:>6} at {:>5}  {:5.1f}\n", goal.trace, goal.gpus,
               cell(f->contiguous), cell(f->longest_first), goal.load_limit, f->bound, cell(f->learned),
               cell(f->judged), goal.crossing, goal.imbalance > 0 ? fmt::format("{}", goal.imbalance) : "-",
               f->seconds);
    std::fflush(stdout);
}

}  // namespace

void print_placements() {
    if (!recorded_routing("law")) return;
    fmt::print(
        "\nPlacements learned on the even blocks of 512 tokens, judged on the odd ones\n"
        "  share of first choices of adjacent layers that cross GPUs (max/mean load, mean over layers); {} "
        "proposals\n\n"
        "  trace    GPUs  contiguous     longest first  limit  bound  learned        judged         goal           "
        "seconds\n",
        proposals);
    for (const PlacementGoal& goal : placement_goals()) print_row(goal);
    fmt::print("  further goals\n");
    for (const PlacementGoal& goal : placement_stretches()) print_row(goal);

    fmt::print("\nRemote destinations of a token and layer, law on 8 GPUs, judged; {} proposals\n",
               destination_proposals);
    for (const Dispatch d : {Dispatch::classical, Dispatch::coherent}) {
        const auto f = place_by_destinations("law", 8, 1.16, d, {0, {}, destination_proposals});
        if (f)
            fmt::print("  {:16}  contiguous {:.3f}  ours {:.3f} ({:+.1f}%)  max/mean load {:.3f}  {:.1f} s\n",
                       d == Dispatch::classical ? "classical" : "context-coherent", f->contiguous, f->ours,
                       100 * f->change(), f->judged.imbalance, f->seconds);
        std::fflush(stdout);
    }

    fmt::print("\nAcross tasks, 8 GPUs, limit 1.1: judged on law and on summary\n");
    for (const AcrossTasks& row : across_tasks("law", "summary", 8, 1.1, {0, {}, proposals}))
        fmt::print("  learned on {:16} {}  {}\n", row.learned_on, cell(row.first), cell(row.second));
}

}  // namespace moesim::test
