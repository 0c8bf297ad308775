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
#include "calibrate/validate_table.hpp"
#include "cli/output.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

struct Options {
    std::string table, profile;
    bool json = false;
    std::optional<double> max_error;
    std::optional<std::string> rows;
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

void validate(const Options& o) {
    const MeasuredTable table = read_table(o.table);
    const Profile profile = parse_profile(parse_json(read_file(o.profile, max_json_bytes), o.profile), o.profile);
    const TableReport report = validate_table(table, profile);
    if (o.rows) write_file(*o.rows, rows_csv(report));
    print(o.json ? to_json(report).dump(1) + "\n" : table_text(report));
    if (o.max_error) check(report, *o.max_error);
}

}  // namespace

void add_validate_command(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("validate", "Holds predictions against measurements");
    command->add_option("--table", options->table, "a table of timed calls, of the kinds that calibrate --from reads")
        ->required();
    command->add_option("--profile", options->profile, "moesim.profile/1 file")->required();
    command->add_flag("--json", options->json, "the report as a document on stdout instead of the table");
    command->add_option("--rows", options->rows, "a CSV file for each row, predicted and measured");
    command
        ->add_option("--max-error", options->max_error,
                     "exit with 1 where an operation's median error is above this fraction")
        ->check(CLI::Range(0.0, 1e6));
    command->callback([options] { validate(*options); });
}

}  // namespace moesim
