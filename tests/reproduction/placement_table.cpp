#include "reproduction/placement_table.hpp"

#include <memory>
#include <utility>
#include <variant>

#include "config/trace/read_trace.hpp"
#include "planner/affinity_search.hpp"
#include "planner/fixed_placements.hpp"
#include "planner/load_balance.hpp"
#include "planner/load_measures.hpp"

namespace moesim::test {
namespace {

constexpr std::size_t block = 512;

Placement affinity_placement_of(const PlannerProblem& problem, double load_limit, const Effort& effort) {
    AffinityOptions options;
    options.load_limit = load_limit;
    return affinity_plan(problem, options, effort).placement;
}

}  // namespace

std::filesystem::path recorded_routings() {
    return std::filesystem::path(MOESIM_SOURCE_DIR).parent_path() / "shared/data/routing-traces";
}

std::optional<RoutingTrace> recorded_routing(const std::string& name) {
    const std::filesystem::path file =
        recorded_routings() / (name == "gpt-oss"
                                   ? "AmanPriyanshu__GPT-OSS-MoE-ExpertFingerprinting/gpt-oss-20b_decode_topk.npy"
                                   : "deepseek-ai__ESFT/" + name + "_topk.npy");
    if (!std::filesystem::exists(file)) return std::nullopt;
    return std::get<RoutingTrace>(read_trace(file, {}));
}

RoutingTrace learned_half(const RoutingTrace& trace) { return every_second_block(trace, block, false); }
RoutingTrace judged_half(const RoutingTrace& trace) { return every_second_block(trace, block, true); }

RoutingTrace joined(const RoutingTrace& a, const RoutingTrace& b) {
    RoutingTrace both = a;
    both.tokens += b.tokens;
    both.choices.insert(both.choices.end(), b.choices.begin(), b.choices.end());
    for (const std::size_t begin : b.source_begin) both.source_begin.push_back(a.tokens + begin);
    return both;
}

PlannerProblem placement_problem(RoutingTrace learned, std::size_t gpus) {
    PlannerProblem problem;
    problem.workload = workload_counts(std::make_shared<RoutingTrace>(std::move(learned)));
    problem.positions.node.assign(gpus, 0);
    problem.slots = problem.workload.experts / gpus;
    return problem;
}

Judged judge(const WorkloadCounts& workload, const Placement& placement) {
    return {crossing_share(workload, placement), load_imbalance(workload.load, placement)};
}

// The limits are lower than the imbalance that is asked for on the judged half, which always comes out higher.
std::vector<PlacementGoal> placement_goals() {
    return {{"law", 8, 1.10, 0.46, 1.14},      {"law", 4, 1.085, 0.32, 1.11},    {"law", 16, 1.175, 0.60, 1.25},
            {"summary", 8, 1.092, 0.49, 1.17}, {"gpt-oss", 4, 1.05, 0.36, 1.14}, {"gpt-oss", 8, 1.10, 0.53, 0}};
}

std::vector<PlacementGoal> placement_stretches() {
    return {{"law", 8, 1.095, 0.43, 1.13},  {"law", 8, 1.17, 0.41, 1.20},       {"law", 4, 1.085, 0.30, 1.11},
            {"law", 16, 1.175, 0.56, 1.25}, {"summary", 8, 1.092, 0.465, 1.17}, {"gpt-oss", 4, 1.055, 0.335, 1.14},
            {"gpt-oss", 8, 1.10, 0.49, 0}};
}

std::optional<PlacementFigures> place_by_affinity(const PlacementGoal& goal, const Effort& effort) {
    const auto trace = recorded_routing(goal.trace);
    if (!trace) return std::nullopt;
    const PlannerProblem problem = placement_problem(learned_half(*trace), goal.gpus);
    const WorkloadCounts judged = placement_problem(judged_half(*trace), goal.gpus).workload;
    AffinityOptions options;
    options.load_limit = goal.load_limit;
    const PlannerResult r = affinity_plan(problem, options, effort);
    return PlacementFigures{goal,
                            judge(judged, contiguous_plan(problem, {}).placement),
                            judge(judged, longest_first_plan(problem, {}).placement),
                            judge(problem.workload, r.placement),
                            judge(judged, r.placement),
                            r.bound.value_or(0),
                            r.took.value()};
}

std::optional<DestinationFigures> place_by_destinations(const std::string& name, std::size_t gpus, double load_limit,
                                                        Dispatch dispatch, const Effort& effort) {
    const auto trace = recorded_routing(name);
    if (!trace) return std::nullopt;
    const PlannerProblem problem = placement_problem(learned_half(*trace), gpus);
    const PlannerProblem judged = placement_problem(judged_half(*trace), gpus);
    const PlannerResult r = destinations_plan(problem, {dispatch, load_limit}, effort);
    const RoutingTrace& tokens = *judged.workload.trace;
    return DestinationFigures{remote_destinations(tokens, contiguous_plan(problem, {}).placement, dispatch),
                              remote_destinations(tokens, r.placement, dispatch), judge(judged.workload, r.placement),
                              r.took.value()};
}

std::vector<AcrossTasks> across_tasks(const std::string& a, const std::string& b, std::size_t gpus, double load_limit,
                                      const Effort& effort) {
    const auto first = recorded_routing(a), second = recorded_routing(b);
    if (!first || !second) return {};
    const WorkloadCounts judged_first = placement_problem(judged_half(*first), gpus).workload;
    const WorkloadCounts judged_second = placement_problem(judged_half(*second), gpus).workload;
    std::vector<AcrossTasks> rows;
    const auto add = [&](const std::string& name, RoutingTrace learned) {
        const Placement p = affinity_placement_of(placement_problem(std::move(learned), gpus), load_limit, effort);
        rows.push_back({name, judge(judged_first, p), judge(judged_second, p)});
    };
    add(a, learned_half(*first));
    add(b, learned_half(*second));
    add(a + " and " + b, joined(learned_half(*first), learned_half(*second)));
    return rows;
}

}  // namespace moesim::test
