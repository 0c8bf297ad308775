#include "planner/methods.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/error.hpp"
#include "planner/affinity_search.hpp"
#include "planner/coactivation.hpp"
#include "planner/destinations.hpp"
#include "planner/eplb.hpp"
#include "planner/exflow.hpp"
#include "planner/fixed_placements.hpp"
#include "planner/graph_plan.hpp"
#include "planner/layer_time_search.hpp"
#include "planner/load_balance.hpp"
#include "planner/moetuner.hpp"
#include "planner/shadowing.hpp"
#include "planner/stopwatch.hpp"
#include "planner/topology_program.hpp"
#include "topology/fabric.hpp"

namespace moesim {
namespace {

// A method that looks at the problem alone.
template <class Plan>
PlannerMethod plain(std::string_view name, std::string_view what, Plan plan) {
    return {name, what,
            [plan](const PlannerProblem& p, const MethodOptions&, const Effort& effort, const SearchProgress&) {
                return plan(p, effort);
            }};
}

PlannerResult destinations(const PlannerProblem& p, const MethodOptions& o, Dispatch dispatch, const Effort& effort,
                           const SearchProgress& progress) {
    DestinationOptions d;
    d.dispatch = dispatch;
    d.load_limit = o.load_limit;
    return destinations_plan(p, d, effort, progress);
}

// A quarter of the effort goes to the starts, and the rest to what the layer takes.
PlannerResult search(const PlannerProblem& p, const MethodOptions& o, const Effort& effort,
                     const SearchProgress& progress) {
    if (!o.scenario) throw InternalError("a search for the least layer time without a scenario");
    const Stopwatch watch;
    Effort for_starts = effort;
    if (effort.seconds) for_starts.seconds = *effort.seconds / 8;
    std::vector<Placement> starts = {contiguous_plan(p, effort).placement, longest_first_plan(p, effort).placement,
                                     balanced_swaps_plan(p, effort).placement};
    const std::size_t copies = p.slots * p.positions.count();
    if (copies > p.workload.experts && copies % p.positions.count() == 0)
        starts.push_back(eplb_plan(p, 1).result.placement);
    AffinityOptions a;
    a.load_limit = o.load_limit;
    if (p.workload.layers > 1) starts.push_back(affinity_plan(p, a, for_starts, {}).placement);
    starts.push_back(destinations(p, o, Dispatch::classical, for_starts, {}).placement);
    Effort rest = effort;
    if (effort.seconds) rest.seconds = std::max(0.001, *effort.seconds - watch.elapsed().value());
    PlannerResult result = layer_time_plan(p, *o.scenario, build_fabric(o.scenario->topology), starts, rest, progress);
    result.took = watch.elapsed();
    return result;
}

// Integer programs may never end.
Effort limited(Effort effort) {
    if (!effort.seconds && !effort.iterations) effort.seconds = 60;
    return effort;
}

std::vector<PlannerMethod> all_methods() {
    return {
        plain("contiguous", "expert e on GPU e / (experts a GPU)", contiguous_plan),
        plain("round_robin", "expert e on GPU e mod GPUs", round_robin_plan),
        plain("random", "shuffled in each layer, by the seed", random_plan),
        plain("longest_first", "hottest first, each to the lightest GPU with room (Graham 1969)", longest_first_plan),
        plain("balanced_swaps", "longest_first, then swaps with the heaviest GPU", balanced_swaps_plan),
        plain("memory_limited", "longest_first within slots and memory in the place of even counts",
              memory_limited_plan),
        {"eplb", "copies of hot experts, packed evenly (DeepSeek EPLB)",
         [](const PlannerProblem& p, const MethodOptions& o, const Effort&, const SearchProgress&) {
             return eplb_plan(p, o.groups).result;
         }},
        {"affinity", "few first choices of adjacent layers that cross GPUs, under a load limit (after ExFlow)",
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress& progress) {
             AffinityOptions a;
             a.load_limit = o.load_limit;
             return affinity_plan(p, a, effort, progress);
         }},
        {"destinations", "few GPUs that a token is sent to, under a load limit",
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress& progress) {
             return destinations(p, o, Dispatch::classical, effort, progress);
         }},
        {"coherent_destinations", "the same for tokens that stay where their best expert was",
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress& progress) {
             return destinations(p, o, Dispatch::coherent, effort, progress);
         }},
        {"search", "least time of dispatch, experts and return, from the best of the others on (moesim)", search},
        {"graph", "the layered graph of what tokens choose together, partitioned by METIS",
         [](const PlannerProblem& p, const MethodOptions&, const Effort& effort, const SearchProgress&) {
             return graph_plan(p, {}, effort);
         }},
        {"coactivation", "clusters of experts that tokens choose together, copies of hot ones (after GRACE-MoE)",
         [](const PlannerProblem& p, const MethodOptions&, const Effort& effort, const SearchProgress&) {
             return coactivation_plan(p, {}, effort);
         }},
        {"shadowing", "hot experts on every GPU, by FasterMoE's cost rule",
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress&) {
             ShadowingOptions s;
             s.batch_tokens = o.batch_tokens;
             s.row = o.row;
             s.token_time = o.token_time;
             s.batches_a_transfer = std::numeric_limits<double>::infinity();  // copies stay
             return shadowing_plan(p, s, effort);
         }},
        {"exflow", "integer program: least crossing between layers, nodes first (ExFlow)",
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress&) {
             ExflowOptions e;
             e.files.path = o.program_file;
             return exflow_plan(p, e, limited(effort));
         }},
        {"moetuner", "integer programs: even clusters, then their GPUs by the heaviest pair (MoETuner)",
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress&) {
             MoetunerOptions m;
             m.files.path = o.program_file;
             return PlannerResult(moetuner_plan(p, m, limited(effort)));
         }},
        {"topology", "integer program: least transmission cost on the fabric, under a load cap",
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress&) {
             TopologyProgramOptions t;
             t.load_cap = o.load_limit;
             t.files.path = o.program_file;
             return topology_plan(p, t, limited(effort));
         }},
    };
}

}  // namespace

std::span<const PlannerMethod> planner_methods() {
    static const std::vector<PlannerMethod> all = all_methods();
    return all;
}

const PlannerMethod& planner_method(std::string_view name) {
    const auto all = planner_methods();
    const auto found = std::find_if(all.begin(), all.end(), [&](const PlannerMethod& m) { return m.name == name; });
    if (found != all.end()) return *found;
    std::string names;
    for (const PlannerMethod& m : all) names += (names.empty() ? "" : ", ") + std::string(m.name);
    throw InputError(fmt::format("the method: found \"{}\", expected one of {}", name, names));
}

}  // namespace moesim
