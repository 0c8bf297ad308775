#pragma once
// One scenario under several placements, learned on one part of its routing and judged on another.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/scenario.hpp"
#include "planner/methods.hpp"
#include "study/planning.hpp"
#include "study/workload_shift.hpp"

namespace moesim {

struct CompareOptions {
    std::vector<std::string> methods;  // names of planner_methods(); a file holds a placement already
    std::size_t batches = 4;           // to judge by
    PlanningOptions planning;
    MethodOptions method;
    Effort effort;
    std::string program;  // that runs scenarios
    std::string folder;   // for placements, scenarios and results, by the names of methods
};

// What a method's placement did to the judged batches. Times are of one MoE layer, means over layers and ranks.
struct ComparedMethod {
    std::string name;
    double layer_mean_s = 0, layer_p95_s = 0;  // of the makespan over the layers: over batches
    std::vector<double> layer_batches_s;       // [batch]
    // On tokens that were learned from, where `search` is among the methods: simulated over the same batches as all
    // others' placements, and in closed form (LayerTimeModel).
    std::optional<double> learned_layer_s, closed_form_s;
    double dispatch_s = 0, expert_s = 0, return_s = 0;
    double remote_copies = 0;       // of a token's activations that a dispatch takes to another GPU, a layer
    double nic_copies = 0;          // those among them that pass a NIC
    double load_max_over_mean = 0;  // of GPUs, mean over layers
    double memory_bytes = 0;        // of the fullest GPU
    double copies = 1;              // of an expert
    std::string objective;
    double value = 0;
    std::optional<double> bound;  // the best that any method proved of the same objective
    double solve_s = 0;
    std::optional<double> load_above_limit;  // of what was learned, where the load limit could not be kept
    bool stopped = false;                    // by its limits, before an integer program of it was solved
    std::string failure;                     // why there is no placement; then nothing else but the name is of use
};

struct Comparison {
    std::int64_t learned_tokens = 0;
    std::optional<std::int64_t> recorded_tokens;  // to judge by, of a recorded routing; beyond, batches begin again
    WorkloadShift shift;                          // from the learned to the judged routing
    // Where `search` is among the methods: no placement of so many slots is below it in closed form.
    std::optional<double> closed_form_bound_s;
    std::vector<ComparedMethod> methods;
};

// `search` is made last, whatever its place, and is given what the others found. A method that finds no placement keeps
// its line, with its failure. Throws InputError as planner_problem(),
// judged_batches() and the runs do, where a method has an unknown name or is named twice, or where all fail.
// `progress`: what is being done, from any thread, one call at a time.
Comparison compare(const Scenario& scenario, const std::string& origin, const CompareOptions& options,
                   const std::function<void(const std::string&)>& progress);

}  // namespace moesim
