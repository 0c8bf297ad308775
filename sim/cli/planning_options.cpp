#include "cli/planning_options.hpp"

namespace moesim {

void add_planning_options(CLI::App& command, PlanningArguments& a) {
    command.add_option("--learn", a.planning.learn,
                       "a recorded routing to learn from, in the place of the scenario's own");
    command
        .add_option("--tokens", a.planning.tokens,
                    "of the scenario's own routing to learn from, in whole sequences (65536)")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000'000}));
    command.add_option("--redundant", a.planning.redundant, "copies of experts of a layer beyond one each (0)")
        ->check(CLI::Range(std::size_t{0}, std::size_t{65'536}));
    command.add_option("--groups", a.method.groups, "of experts, for eplb's hierarchical packing (1)")
        ->check(CLI::Range(std::size_t{1}, std::size_t{65'536}));
    command
        .add_option("--load-limit", a.method.load_limit,
                    "max/mean load of a GPU, mean over layers, of methods that weigh load against traffic (1.1)")
        ->check(CLI::Range(1.0, 1000.0));
    command.add_option("--write-program", a.method.program_file,
                       "file for the integer programs of exflow, moetuner and topology, .lp or .mps");
    command.add_option("--time-limit", a.effort.seconds, "seconds that a method may search")
        ->check(CLI::Range(0.001, 1e6));
    command.add_option("--iterations", a.effort.iterations, "that a search makes: the same result on every machine")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000'000}));
    command.add_option("--seed", a.effort.seed, "of searches (0)")
        ->check(CLI::Range(std::uint64_t{0}, static_cast<std::uint64_t>(INT64_MAX)));
}

}  // namespace moesim
