#include "cli/validate.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "calibrate/tables/read_table.hpp"
#include "calibrate/validate/drawn_profile.hpp"
#include "calibrate/validate/validate_run.hpp"
#include "calibrate/validate_table.hpp"
#include "cli/execute.hpp"
#include "cli/output.hpp"
#include "cli/profile_file.hpp"
#include "cli/progress_bar.hpp"
#include "cli/simulate_stages.hpp"
#include "cli/temporary_folder.hpp"
#include "config/json_text.hpp"
#include "config/scenario_json.hpp"

namespace moesim {
namespace {

struct ValidateArguments {
    std::optional<std::string> scenario, table, profile, rows;
    std::vector<std::string> measured;
    std::size_t draws = 40;
    bool json = false, run = false;
    std::optional<double> max_error;
};

// Throws CheckFailed where the median error of an operation is above the bound, or nothing was predicted.
void check(const TableReport& report, double bound) {
    std::map<std::string, std::vector<double>> of_op;
    for (const TableGroup& g : report.groups) {
        auto& errors = of_op[g.op];
        errors.insert(errors.end(), g.errors.begin(), g.errors.end());
    }
    for (const auto& [op, errors] : of_op)
        if (const double median = summary(errors).median; median > bound)
            throw CheckFailed(
                fmt::format("{}: {}: found a median error of {:.2f}%, expected at most {:.2f}% (--max-error)",
                            report.table, op, 100 * median, 100 * bound));
    if (report.predicted() == 0)
        throw CheckFailed(
            fmt::format("{}: found no row that could be predicted, expected some (--max-error)", report.table));
}

void validate_a_table(const ValidateArguments& o) {
    const MeasuredTable table = read_table(*o.table);
    const TableReport report = validate_table(table, load_profile(*o.profile));
    if (o.rows) write_file(*o.rows, rows_csv(report));
    print(o.json ? to_json(report).dump(1) + "\n" : table_text(report));
    if (o.max_error) check(report, *o.max_error);
}

// What is simulated for a run: the scenario that is asked for, or the run's own, with the profile that is asked for.
Scenario to_predict(const ValidateArguments& o, const MeasuredRun& run, const std::string& file) {
    Scenario scenario = run.scenario;
    if (o.scenario) {
        scenario = load_scenario(*o.scenario);
        check_same(scenario, *o.scenario, run.scenario, file);
    }
    if (o.profile) scenario.profile = load_profile(*o.profile);
    return scenario;
}

RunReport report_of(const ValidateArguments& o, const MeasuredRun& run, const Scenario& scenario,
                    const std::string& folder, ProgressBar& bar) {
    std::vector<NamedRun> runs = {{"as-fitted", scenario}};
    for (std::size_t d = 0; d < o.draws; ++d) {
        runs.push_back({"draw-" + std::to_string(d), scenario});
        runs.back().scenario.profile = drawn_profile(scenario.profile, d);
    }
    auto predictions = simulate_stages(runs, folder, [&](std::size_t ended) {
        bar.show("simulating", static_cast<double>(ended) / static_cast<double>(runs.size()));
    });
    const SimulatedStages first = predictions.front();
    predictions.erase(predictions.begin());
    return hold(run, first, predictions);
}

// Prints the reports; then throws CheckFailed where one is beyond the bound.
void answer(const ValidateArguments& o, const std::vector<RunReport>& reports, const std::vector<std::string>& names) {
    print(o.json ? to_json(reports).dump(1) + "\n" : table(reports));
    for (std::size_t i = 0; o.max_error && i < reports.size(); ++i)
        if (const double worst = reports[i].worst_error(); worst > *o.max_error)
            throw CheckFailed(fmt::format("{}: found an error of {:.1f}%, expected at most {:.1f}% (--max-error)",
                                          names[i], 100 * worst, 100 * *o.max_error));
}

void validate_runs(const ValidateArguments& o) {
    const TemporaryFolder folder;
    ProgressBar bar;
    std::vector<RunReport> reports;
    for (const std::string& file : o.measured) {
        const MeasuredRun run = parse_run(parse_json(read_file(file, max_json_bytes), file), file);
        reports.push_back(report_of(o, run, to_predict(o, run, file), folder.path(), bar));
    }
    bar.clear();
    answer(o, reports, o.measured);
}

// Executes first: all ranks come here, and rank 0 goes on.
void run_and_validate(const ValidateArguments& o) {
    std::optional<MeasuredRun> run;
    {
        ExecuteCommand command;
        command.scenario = *o.scenario;
        MpiSession session;
        if (auto done = execute_scenario(command, session)) run = std::move(done->run);
    }
    if (!run) return;
    const TemporaryFolder folder;
    ProgressBar bar;
    const std::vector<RunReport> reports = {report_of(o, *run, to_predict(o, *run, "the run"), folder.path(), bar)};
    bar.clear();
    answer(o, reports, {*o.scenario});
}

void validate(const CLI::App& command, const ValidateArguments& o) {
    const int ways = (o.table ? 1 : 0) + (o.measured.empty() ? 0 : 1) + (o.run ? 1 : 0);
    if (ways != 1)
        throw InputError(fmt::format("validate: found {} of --table, --measured and --run, expected one", ways));
    if (o.run && !o.scenario) throw InputError("SCENARIO: found nothing, expected a scenario to run (--run)");
    for (const char* option :
         o.table ? std::vector<const char*>{"SCENARIO", "--draws"} : std::vector<const char*>{"--rows"})
        if (command.count(option) > 0)
            throw InputError(fmt::format("{}: found with {}, expected with {}", option, o.table ? "--table" : "a run",
                                         o.table ? "a run" : "--table"));
    if (o.table && !o.profile) throw InputError("--profile: found nothing, expected a moesim.profile/1 file (--table)");
    if (o.scenario && o.measured.size() > 1)
        throw InputError(
            fmt::format("--measured: found {} runs with SCENARIO, expected one: without SCENARIO each run's "
                        "own is predicted",
                        o.measured.size()));
    if (o.table)
        validate_a_table(o);
    else if (o.run)
        run_and_validate(o);
    else
        validate_runs(o);
}

}  // namespace

void add_validate_command(CLI::App& app) {
    auto options = std::make_shared<ValidateArguments>();
    CLI::App* command = app.add_subcommand("validate", "Holds predictions against measurements");
    command->add_option("SCENARIO", options->scenario, "moesim.scenario/1 file (the scenario that the run has)");
    command->add_option("--measured", options->measured,
                        "what moesim execute wrote; of several runs also: are they ranked alike");
    command->add_flag("--run", options->run,
                      "executes SCENARIO first: mpirun -np RANKS moesim validate SCENARIO --run");
    command->add_option("--table", options->table, "a table of timed calls, of the kinds that calibrate --from reads");
    command->add_option("--profile", options->profile,
                        "moesim.profile/1 file (with --measured: in the place of the scenario's)");
    command
        ->add_option("--draws", options->draws,
                     "with --measured: simulations for the interval, each with what fits were off by (40)")
        ->check(CLI::Range(0, 100'000));
    command->add_flag("--json", options->json, "the report as a document on stdout instead of the table");
    command->add_option("--rows", options->rows, "a CSV file for each row, predicted and measured");
    command
        ->add_option(
            "--max-error", options->max_error,
            "exit with 1 where an operation's median error (--table), or a run's total or that of a stage of 5% "
            "of it (--measured), is above this fraction")
        ->check(CLI::Range(0.0, 1e6));
    command->callback([options, command] { validate(*command, *options); });
}

}  // namespace moesim
