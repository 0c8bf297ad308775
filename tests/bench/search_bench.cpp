// What the placement search has found after how long, beside what the other methods find, on a model of DeepSeek-V3's
// size: 58 layers of 256 experts, 320 slots on 64 GPUs. Takes the sum of the limits; asserts nothing.
// moesim_search_bench [SECONDS...]: the limits (1 3 10 30); the last one is what the others are held against.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "config/scenario_json.hpp"
#include "planner/layer_time.hpp"
#include "planner/methods.hpp"
#include "study/planning.hpp"
#include "topology/fabric.hpp"

using namespace moesim;

int main(int argc, char** argv) {
    std::vector<double> limits;
    for (int i = 1; i < argc; ++i) limits.push_back(std::stod(argv[i]));
    if (limits.empty()) limits = {1, 3, 10, 30};

    const std::string origin = MOESIM_SOURCE_DIR "/tests/bench/search-58-layers-64-gpus.json";
    const Scenario scenario = load_scenario(origin);
    PlanningOptions planning;
    planning.tokens = 32'768;
    planning.redundant = 64;
    const PlannerProblem problem = planner_problem(scenario, origin, planning);
    const MethodOptions options = method_options(scenario, {});
    const Fabric fabric = build_fabric(scenario.topology);
    const LayerTimeModel model(problem.workload, scenario, fabric);

    fmt::print("{} layers x {} experts, {} slots on {} GPUs; mean time of a layer's dispatch, experts and return\n",
               problem.workload.layers, problem.workload.experts, problem.slots * problem.positions.count(),
               problem.positions.count());
    for (const char* name : {"contiguous", "balanced_swaps", "eplb"}) {
        const PlannerResult r = planner_method(name).plan(problem, options, {}, {});
        fmt::print("  {:16} {:9.3f} s  {:9.3f} us\n", name, r.took.value(), 1e6 * model.mean_time(r.placement).value());
    }
    std::vector<double> values;
    double bound = 0;
    for (const double limit : limits) {
        Effort effort;
        effort.seconds = limit;
        const PlannerResult r = planner_method("search").plan(problem, options, effort, {});
        values.push_back(r.value);
        bound = r.bound.value_or(0);
        fmt::print("  search           {:9.3f} s  {:9.3f} us\n", r.took.value(), 1e6 * r.value);
        std::fflush(stdout);
    }
    for (std::size_t i = 0; i < limits.size(); ++i)
        fmt::print("  after {:g} s: {:+.2f}% of what it finds in {:g} s\n", limits[i],
                   100 * (values[i] / values.back() - 1), limits.back());
    fmt::print("  proven: no placement below {:.3f} us\n", 1e6 * bound);
    return 0;
}
