#pragma once
// All placement methods by name, on equal terms.
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/scenario.hpp"
#include "planner/problem.hpp"

namespace moesim {

// The scenario's makespan over tokens that are learned from, simulated under each placement; of fewer tokens where
// `seconds` do not suffice for all.
using SimulatePlacements =
    std::function<std::vector<Seconds>(const std::vector<Placement>&, std::optional<double> seconds)>;

// What a method found already, for the same problem.
struct KnownPlacement {
    std::string method;
    Placement placement;
};

// What some methods look at and others do not.
struct MethodOptions {
    double load_limit = 1.1;  // max/mean load of a position, mean over layers, of those that weigh load against traffic
    std::size_t groups = 1;   // of experts, for EPLB's hierarchical packing
    std::string program_file;  // where integer programs are written for other solvers, .lp or .mps; empty: nowhere
    std::shared_ptr<const Scenario> scenario;  // whose layer time `search` makes small; without it there is none
    // Without it, `search` trusts the closed form of a layer's time alone.
    SimulatePlacements simulate;
    bool prove = true;                  // whether `affinity` may take time for a bound
    std::vector<KnownPlacement> known;  // `search` starts from them as well, and simulates them
    // What a batch costs, for cost rules.
    double batch_tokens = 0;  // of all positions of a group
    Bytes row;                // one token's activation
    Seconds token_time{};     // an expert's computing of one token
};

// Which options a method looks at.
struct MethodUses {
    bool copies = false;  // slots beyond one for each expert
    bool groups = false, load_limit = false, program_file = false;
};

struct PlannerMethod {
    std::string_view name;
    std::string_view what;  // in half a line, with its source
    MethodUses uses;
    std::function<PlannerResult(const PlannerProblem&, const MethodOptions&, const Effort&, const SearchProgress&)>
        plan;
};

// In the order in which comparisons show them.
std::span<const PlannerMethod> planner_methods();
std::string planner_method_names();  // with commas

// The load (load_imbalance, of what was learned) where a method that keeps to a limit could not: even counts may allow
// no less. Nothing for `search`, which gives the limit to its starts only.
std::optional<double> load_above_limit(const PlannerMethod& method, const MethodOptions& options,
                                       const PlannerProblem& problem, const Placement& placement);

// Throws InputError that names all methods.
const PlannerMethod& planner_method(std::string_view name);
// Throws the same, and where a name is there twice.
void check_methods(std::span<const std::string> names);

}  // namespace moesim
