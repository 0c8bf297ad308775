#include "cli/place.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/file.hpp"
#include "cli/output.hpp"
#include "cli/planning_options.hpp"
#include "cli/temporary_folder.hpp"
#include "cli/this_program.hpp"
#include "config/placement_formats/write_placement.hpp"
#include "config/scenario_json.hpp"
#include "planner/stopwatch.hpp"
#include "study/simulated_makespans.hpp"

namespace moesim {
namespace {

struct PlaceArguments {
    std::string scenario, method, out;
    PlanningArguments planning;
};

// On a terminal: what a search has found so far, and what is proven, in a line that is written over.
SearchProgress shown_search() {
    if (isatty(STDERR_FILENO) != 1) return {};
    return [watch = Stopwatch(), shown = 0.0](double value, std::optional<double> bound) mutable {
        const double now = watch.elapsed().value();
        if (now < shown) return;
        shown = now + 0.2;
        fmt::print(stderr, "\r{:6.1f} s  {:.5g}{}\033[K", now, value,
                   bound ? fmt::format(", at least {:.5g}", *bound) : "");
    };
}

void place(const PlaceArguments& o) {
    const PlannerMethod& method = planner_method(o.method);
    if (!o.out.empty()) expect_writable(o.out);
    const Scenario scenario = load_scenario(o.scenario);
    const PlannerProblem problem = planner_problem(scenario, o.scenario, o.planning.planning);
    const TemporaryFolder temporary;
    MethodOptions options = method_options(scenario, o.planning.method);
    options.simulate = simulated_makespans(scenario, o.scenario, o.planning.planning, this_program(), temporary.path());
    const PlannerResult result = method.plan(problem, options, o.planning.effort, shown_search());
    if (isatty(STDERR_FILENO) == 1) fmt::print(stderr, "\r\033[K");
    check_fits(problem, result.placement);
    if (!o.out.empty()) {
        const PlacementDocument document =
            planned_document(result, method, scenario, o.scenario, problem, o.planning.planning);
        write_file(o.out, placement_text(document, PlacementFormat::moesim));
    }
    std::string text = fmt::format("{}: {}\n\n", method.name, method.what);
    text += fmt::format("learned from {} tokens, {} layers of {} experts, top-{}\n", problem.workload.tokens,
                        problem.workload.layers, problem.workload.experts, problem.workload.top_k);
    text += fmt::format("objective    {:.4g} ({})\n", result.value, result.objective);
    if (result.bound) text += fmt::format("at least     {:.4g}, proven\n", *result.bound);
    if (result.stopped) text += "stopped      by its limit, before its program was solved\n";
    if (const auto load = load_above_limit(method, options, problem, result.placement))
        text += fmt::format("load         {:.3g}, above the limit of {:.3g}\n", *load, options.load_limit);
    text += fmt::format("took         {:.3f} s\n", result.took.value());
    if (!o.out.empty())
        text += fmt::format("\nwritten      {0} (in a scenario: \"placement\": {{\"file\": \"{0}\"}})\n", o.out);
    print(text);
}

}  // namespace

void add_place_command(CLI::App& app) {
    auto options = std::make_shared<PlaceArguments>();
    CLI::App* command = app.add_subcommand("place", "Computes where experts should live");
    command->add_option("SCENARIO", options->scenario, "moesim.scenario/1 file: model, cluster and routing")
        ->required();
    command->add_option("--method", options->method, planner_method_names())->required();
    command->add_option("-o,--out", options->out, "a file for the placement");
    add_planning_options(*command, options->planning);
    command->callback([options, command] {
        check_options_are_used(*command, {options->method});
        place(*options);
    });
}

}  // namespace moesim
