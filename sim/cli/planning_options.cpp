#include "cli/planning_options.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>

#include "base/error.hpp"

namespace moesim {
namespace {

struct OptionUse {
    const char* option;
    bool MethodUses::*used;
};
constexpr std::array option_uses = {
    OptionUse{"--redundant", &MethodUses::copies}, OptionUse{"--groups", &MethodUses::groups},
    OptionUse{"--load-limit", &MethodUses::load_limit}, OptionUse{"--write-program", &MethodUses::program_file}};

std::string not_a_program(const std::string& file) {
    const auto extension = std::filesystem::path(file).extension();
    if (extension == ".lp" || extension == ".mps") return {};
    return fmt::format("found {}, expected a name that ends in .lp or .mps", file);
}

}  // namespace

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
                    "max/mean load of a GPU, mean over layers, of methods that weigh load against traffic, as far as "
                    "even counts allow; topology keeps it in each layer (1.1)")
        ->check(CLI::Range(1.0, 1000.0));
    command
        .add_option("--write-program", a.method.program_file,
                    "file for the integer programs of exflow, moetuner and topology, .lp or .mps")
        ->check(not_a_program, "FILE.lp|FILE.mps");
    CLI::Option* clock =
        command
            .add_option("--time-limit", a.effort.seconds,
                        "seconds that a method may search; search simulates its candidates after that, for as "
                        "long again, or one batch")
            ->check(CLI::Range(0.001, 1e6));
    command.add_option("--iterations", a.effort.iterations, "that a search makes: the same result on every machine")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000'000}))
        ->excludes(clock);
    command.add_option("--seed", a.effort.seed, "of searches (0)")
        ->check(CLI::Range(std::uint64_t{0}, static_cast<std::uint64_t>(INT64_MAX)));
}

void check_options_are_used(const CLI::App& command, const std::vector<std::string>& methods) {
    for (const auto& [option, used] : option_uses) {
        if (command.count(option) == 0) continue;
        std::string users;
        bool found = false;
        for (const PlannerMethod& m : planner_methods())
            if (m.uses.*used) users += (users.empty() ? "" : ", ") + std::string(m.name);
        for (const std::string& name : methods) found = found || planner_method(name).uses.*used;
        if (!found)
            throw InputError(
                fmt::format("{}: found with {}, expected with {}", option, fmt::join(methods, ", "), users));
    }
}

}  // namespace moesim
