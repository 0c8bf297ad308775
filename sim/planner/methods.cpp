#include "planner/methods.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/suggestion.hpp"
#include "planner/affinity_search.hpp"
#include "planner/coactivation.hpp"
#include "planner/destinations.hpp"
#include "planner/eplb.hpp"
#include "planner/exflow.hpp"
#include "planner/fixed_placements.hpp"
#include "planner/free_slots.hpp"
#include "planner/graph_plan.hpp"
#include "planner/layer_time_search.hpp"
#include "planner/load_balance.hpp"
#include "planner/load_measures.hpp"
#include "planner/moetuner.hpp"
#include "planner/shadowing.hpp"
#include "planner/stopwatch.hpp"
#include "planner/topology_program.hpp"
#include "topology/fabric.hpp"

namespace moesim {
namespace {

constexpr MethodUses nothing_more = {};
constexpr MethodUses with_copies = {.copies = true};
constexpr MethodUses with_load_limit = {.load_limit = true};
constexpr MethodUses with_program = {.program_file = true};

// A method that looks at the problem alone.
template <class Plan>
PlannerMethod plain(std::string_view name, std::string_view what, Plan plan, MethodUses uses = nothing_more) {
    return {name, what, uses,
            [plan](const PlannerProblem& p, const MethodOptions&, const Effort& effort, const SearchProgress&) {
                return plan(p, effort);
            }};
}

AffinityOptions affinity_options(const MethodOptions& o) {
    AffinityOptions a;
    a.load_limit = o.load_limit;
    a.prove = o.prove;
    return a;
}

PlannerResult affinity(const PlannerProblem& p, const MethodOptions& o, const Effort& effort,
                       const SearchProgress& progress) {
    return affinity_plan(p, affinity_options(o), effort, progress);
}

PlannerResult destinations(const PlannerProblem& p, const MethodOptions& o, Dispatch dispatch, const Effort& effort,
                           const SearchProgress& progress) {
    DestinationOptions d;
    d.dispatch = dispatch;
    d.load_limit = o.load_limit;
    return destinations_plan(p, d, effort, progress);
}

Dispatch dispatch_of(const Scenario& s) {
    return s.dispatch.algorithm == Algorithm::context_coherent ? Dispatch::coherent : Dispatch::classical;
}

bool within_slots(const PlannerProblem& p, const Placement& placement) {
    std::vector<std::size_t> held(placement.positions());
    for (std::size_t l = 0; l < placement.layers(); ++l) {
        std::fill(held.begin(), held.end(), 0);
        for (std::size_t e = 0; e < placement.experts(); ++e)
            for (const std::uint32_t at : placement.replicas(LayerId(l), e))
                if (++held[at] > p.slots) return false;
    }
    return true;
}

// What is tried before the search, each within its share of the effort: what is known, and else every method that ends
// soon. A method that finds no placement is left out; with a clock, so are those that do not matter most where they
// would come late.
std::vector<Placement> starts_of(const PlannerProblem& p, const MethodOptions& o, const Effort& effort,
                                 const std::function<bool()>& late) {
    std::vector<std::pair<std::string_view, bool>> names = {{"contiguous", true},    {"round_robin", true},
                                                            {"longest_first", true}, {"balanced_swaps", true},
                                                            {"current", true},       {"random", true}};
    if (p.slots * p.positions.count() > p.workload.experts)
        for (const char* name : {"eplb", "memory_limited", "shadowing"}) names.emplace_back(name, true);
    const bool coherent = dispatch_of(*o.scenario) == Dispatch::coherent;
    if (p.workload.layers > 1 && coherent) names.emplace_back("affinity", true);
    names.emplace_back(coherent ? "coherent_destinations" : "destinations", true);
    for (const char* name : {"coactivation", "graph"}) names.emplace_back(name, false);

    std::vector<Placement> starts;
    const auto add = [&](Placement s) {
        if (fits(p, s) && within_slots(p, s) && std::find(starts.begin(), starts.end(), s) == starts.end())
            starts.push_back(std::move(s));
    };
    for (const auto& [name, matters] : names) {
        const auto is_it = [name = name](const KnownPlacement& k) { return k.method == name; };
        if (std::any_of(o.known.begin(), o.known.end(), is_it) || (!matters && late())) continue;
        MethodOptions own = o;
        own.prove = false;
        try {
            add(planner_method(name).plan(p, own, effort, {}).placement);
        } catch (const Error& e) {
            if (e.code() == ExitCode::own_fault) throw;
        }
    }
    for (const KnownPlacement& k : o.known) add(k.placement);
    if (starts.empty()) check_fits(p, contiguous_plan(p, effort).placement);
    return starts;
}

// The fastest in simulation, where there is one, of what was found and all starts: the closed form leaves out what no
// single layer shows.
PlannerResult confirmed(const PlannerProblem& p, PlannerResult found, std::vector<Placement> others,
                        const MethodOptions& o, const LayerTimeModel& model, const Effort& effort) {
    if (!o.simulate) return found;
    others.insert(others.begin(), found.placement);
    const std::vector<Seconds> times = o.simulate(others, effort.seconds);
    const auto fastest = static_cast<std::size_t>(std::min_element(times.begin(), times.end()) - times.begin());
    found.simulated = times[fastest];
    if (fastest == 0) return found;
    found.placement = with_doubled_experts(p, others[fastest]);
    found.value = model.mean_time(found.placement).value();
    return found;
}

// Without any limit, as much as the search itself takes then.
Effort limited_search(const PlannerProblem& p, Effort effort) {
    if (!effort.seconds && !effort.iterations)
        effort.iterations = proposals_an_expert * static_cast<std::int64_t>(p.workload.layers * p.workload.experts);
    return effort;
}

// A tenth of the effort goes to each start that searches itself, and the rest to what the layer takes. Simulations may
// take as long again.
PlannerResult search(const PlannerProblem& p, const MethodOptions& o, const Effort& given,
                     const SearchProgress& progress) {
    Effort effort = given;
    if (effort.iterations) effort.seconds.reset();
    if (!o.scenario) throw InternalError("a search for the least layer time without a scenario");
    const Stopwatch watch;
    Effort for_starts = limited_search(p, effort);
    if (effort.seconds) for_starts.seconds = *effort.seconds / 10;
    std::vector<Placement> starts =
        starts_of(p, o, for_starts, [&] { return effort.seconds && watch.elapsed().value() > *effort.seconds / 5; });
    Effort rest = effort;
    if (effort.seconds) rest.seconds = std::max(0.001, *effort.seconds - watch.elapsed().value());
    const Fabric fabric = build_fabric(o.scenario->topology);
    PlannerResult result = layer_time_plan(p, *o.scenario, fabric, starts, rest, progress);
    const LayerTimeModel model(p.workload, *o.scenario, fabric, layer_time_tokens);
    if (Placement full = with_full_slots(p, model, result.placement); full != result.placement) {
        result.value = model.mean_time(full).value();
        result.placement = std::move(full);
    }
    result = confirmed(p, std::move(result), std::move(starts), o, model, effort);
    result.took = watch.elapsed();
    return result;
}

// Integer programs may never end.
Effort limited(Effort effort) {
    if (!effort.seconds) effort.seconds = 60;
    return effort;
}

PlannerResult moetuner(const PlannerProblem& p, const MethodOptions& o, bool even, const Effort& effort) {
    MoetunerOptions m;
    m.even = even;
    m.files.path = o.program_file;
    return moetuner_plan(p, m, limited(effort)).plan;
}

// What the scenario runs with, to hold others against.
PlannerResult current(const PlannerProblem& p, const MethodOptions& o, const Effort&, const SearchProgress&) {
    if (!o.scenario) throw InternalError("the current placement of no scenario");
    const Scenario& s = *o.scenario;
    PlannerResult result{make_placement(s.placement, s.model, s.parallelism),
                         "max/mean load of a position, of what the scenario has",
                         0,
                         std::nullopt,
                         {}};
    result.value = load_imbalance(p.workload.load, result.placement);
    return result;
}

std::vector<PlannerMethod> all_methods() {
    return {
        {"current", "the scenario's own placement", nothing_more, current},
        plain("contiguous", "expert e on GPU e / (experts a GPU)", contiguous_plan),
        plain("round_robin", "expert e on GPU e mod GPUs", round_robin_plan),
        plain("random", "shuffled in each layer, by the seed", random_plan),
        plain("longest_first", "hottest first, each to the lightest GPU with room (Graham 1969)", longest_first_plan),
        plain("balanced_swaps", "longest_first, then swaps with the heaviest GPU", balanced_swaps_plan),
        plain("memory_limited", "longest_first within slots and memory in the place of even counts",
              memory_limited_plan, with_copies),
        {"eplb",
         "copies of hot experts, packed evenly (DeepSeek EPLB)",
         {.copies = true, .groups = true},
         [](const PlannerProblem& p, const MethodOptions& o, const Effort&, const SearchProgress&) {
             return eplb_plan(p, o.groups).result;
         }},
        {"affinity", "few first choices of adjacent layers that cross GPUs, under a load limit (after ExFlow)",
         with_load_limit, affinity},
        {"destinations", "few GPUs that a token is sent to, under a load limit", with_load_limit,
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress& progress) {
             return destinations(p, o, Dispatch::classical, effort, progress);
         }},
        {"coherent_destinations", "the same for tokens that stay where their best expert was", with_load_limit,
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress& progress) {
             return destinations(p, o, Dispatch::coherent, effort, progress);
         }},
        {"search",
         "least time of dispatch, experts and return, from the best of the others on (moesim)",
         {.copies = true, .load_limit = true},
         search},
        plain("graph", "the layered graph of what tokens choose together, partitioned by METIS",
              [](const PlannerProblem& p, const Effort& effort) { return graph_plan(p, {}, effort); }),
        plain(
            "coactivation", "clusters of experts that tokens choose together, copies of hot ones (after GRACE-MoE)",
            [](const PlannerProblem& p, const Effort& effort) { return coactivation_plan(p, {}, effort); },
            with_copies),
        {"shadowing", "hot experts on every GPU, by FasterMoE's cost rule", with_copies,
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress&) {
             ShadowingOptions s;
             s.batch_tokens = o.batch_tokens;
             s.row = o.row;
             s.token_time = o.token_time;
             s.batches_a_transfer = std::numeric_limits<double>::infinity();  // copies stay
             return shadowing_plan(p, s, effort);
         }},
        {"exflow", "integer program: least crossing between layers, nodes first (ExFlow)", with_program,
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress&) {
             ExflowOptions e;
             e.files.path = o.program_file;
             return exflow_plan(p, e, limited(effort));
         }},
        {"moetuner", "integer programs: even clusters, then their GPUs by the heaviest pair (MoETuner)", with_program,
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress&) {
             return moetuner(p, o, true, effort);
         }},
        {"moetuner_uneven",
         "the same with clusters of any size within slots, as published",
         {.copies = true, .program_file = true},
         [](const PlannerProblem& p, const MethodOptions& o, const Effort& effort, const SearchProgress&) {
             return moetuner(p, o, false, effort);
         }},
        {"topology",
         "integer program: least transmission cost on the fabric, under a load cap",
         {.load_limit = true, .program_file = true},
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

std::string planner_method_names() {
    std::string names;
    for (const PlannerMethod& m : planner_methods()) names += (names.empty() ? "" : ", ") + std::string(m.name);
    return names;
}

std::optional<double> load_above_limit(const PlannerMethod& method, const MethodOptions& options,
                                       const PlannerProblem& problem, const Placement& placement) {
    if (!method.uses.load_limit || method.name == "search") return std::nullopt;
    const double load = load_imbalance(problem.workload.load, placement);
    return load > options.load_limit * (1 + 1e-9) ? std::optional(load) : std::nullopt;
}

const PlannerMethod& planner_method(std::string_view name) {
    const auto all = planner_methods();
    const auto found = std::find_if(all.begin(), all.end(), [&](const PlannerMethod& m) { return m.name == name; });
    if (found != all.end()) return *found;
    std::vector<std::string_view> names;
    for (const PlannerMethod& m : all) names.push_back(m.name);
    throw InputError(fmt::format("the method: found \"{}\", expected one of {}{}", name, planner_method_names(),
                                 suggestion(name, names)));
}

void check_methods(std::span<const std::string> names) {
    std::set<std::string_view> seen;
    for (const std::string& name : names) {
        (void)planner_method(name);
        if (!seen.insert(name).second)
            throw InputError("the methods: found \"" + name + "\" twice, expected each once");
    }
}

}  // namespace moesim
