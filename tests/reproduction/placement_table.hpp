#pragma once
// Placements on recorded routings: learned on the even blocks of 512 tokens, judged on the odd ones.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/trace/trace.hpp"
#include "planner/destinations.hpp"
#include "planner/problem.hpp"

namespace moesim::test {

// The folder of the recorded routings, whether it is there or not.
std::filesystem::path recorded_routings();
// "law", "summary" (ESFT's DeepSeek-V2-Lite, 64 experts, 26 layers, top-6) or "gpt-oss" (gpt-oss-20b, 32 experts, 24
// layers, top-4); nothing where it is absent.
std::optional<RoutingTrace> recorded_routing(const std::string& name);

RoutingTrace learned_half(const RoutingTrace& trace);
RoutingTrace judged_half(const RoutingTrace& trace);
// One after the other; the same layers, experts and top_k.
RoutingTrace joined(const RoutingTrace& a, const RoutingTrace& b);

PlannerProblem placement_problem(RoutingTrace learned, std::size_t gpus);

// crossing: share of the first choices of adjacent layers that are on different GPUs. imbalance: max/mean load of a GPU
// over all choices, mean over layers.
struct Judged {
    double crossing = 0, imbalance = 0;
};
Judged judge(const WorkloadCounts& workload, const Placement& placement);

// A row of the table: what is to be reached on the judged half, and the limit on the imbalance of the learned half.
struct PlacementGoal {
    std::string trace;
    std::size_t gpus = 0;
    double load_limit = 0;
    double crossing = 0;   // at most
    double imbalance = 0;  // at most; 0: only the limit on the learned half is given
};
std::vector<PlacementGoal> placement_goals();      // what must be reached
std::vector<PlacementGoal> placement_stretches();  // what would be good

struct PlacementFigures {
    PlacementGoal goal;
    Judged contiguous, longest_first, learned, judged;
    double bound = 0;  // no placement crosses less on the learned half
    double seconds = 0;
};
// Nothing where the trace is absent.
std::optional<PlacementFigures> place_by_affinity(const PlacementGoal& goal, const Effort& effort);

struct DestinationFigures {
    double contiguous = 0, ours = 0;  // remote destinations of a token and layer, judged
    Judged judged;
    double seconds = 0;
    [[nodiscard]] double change() const { return ours / contiguous - 1; }
};
std::optional<DestinationFigures> place_by_destinations(const std::string& trace, std::size_t gpus, double load_limit,
                                                        Dispatch dispatch, const Effort& effort);

// Learned on one task, or on two, and judged on each of the two.
struct AcrossTasks {
    std::string learned_on;
    Judged first, second;
};
std::vector<AcrossTasks> across_tasks(const std::string& a, const std::string& b, std::size_t gpus, double load_limit,
                                      const Effort& effort);

void print_placements();

}  // namespace moesim::test
