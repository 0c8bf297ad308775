#include "cli/calibrate.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "calibrate/base_profile.hpp"
#include "calibrate/from_tables.hpp"
#include "calibrate/tables/read_table.hpp"
#include "cli/measure.hpp"
#include "cli/output.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

struct Options {
    std::vector<std::string> from;
    std::string out;
    std::optional<std::string> base, gpu, name, date;
    std::optional<std::string> backend, scenario, samples;
    bool quick = false;
};

std::string today() {
    const auto days = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
    const std::chrono::year_month_day d(days);
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(d.year()), static_cast<unsigned>(d.month()),
                       static_cast<unsigned>(d.day()));
}

// The GPU to fit: the one that is asked for, or the only one in the tables.
std::string chosen_gpu(const Options& o, const std::vector<MeasuredTable>& tables) {
    const auto there = gpus_in(tables);
    if (o.gpu) {
        if (std::find(there.begin(), there.end(), *o.gpu) == there.end() && !there.empty())
            throw InputError(fmt::format("--gpu: found \"{}\", expected one that the tables name: {}", clipped(*o.gpu),
                                         fmt::join(there, ", ")));
        return *o.gpu;
    }
    if (there.size() > 1)
        throw InputError(fmt::format("--gpu: found nothing, expected one of those that the tables name: {}",
                                     fmt::join(there, ", ")));
    return there.empty() ? std::string() : there.front();
}

Profile starting_profile(const Options& o, const std::string& gpu) {
    if (!o.base) return base_profile(gpu);
    return parse_profile(parse_json(read_file(*o.base, max_json_bytes), *o.base), *o.base);
}

// What belongs to one way of calibrating only is refused with the other, rather than left unread.
void check(const Options& o) {
    if (o.from.empty() == !o.backend)
        throw InputError(
            fmt::format("calibrate: found {}, expected either --from (tables that others measured) or "
                        "--backend (what is to be measured here)",
                        o.backend ? "both --from and --backend" : "neither --from nor --backend"));
    const auto refuse = [](bool given, const char* option, const char* with) {
        if (given) throw InputError(fmt::format("{}: found a value, expected none without {}", option, with));
    };
    if (o.backend) {
        refuse(o.gpu.has_value(), "--gpu", "--from");
        return;
    }
    refuse(o.scenario.has_value(), "SCENARIO", "--backend");
    refuse(o.samples.has_value(), "--samples", "--backend");
    refuse(o.quick, "--quick", "--backend");
}

void calibrate(const Options& o) {
    check(o);
    if (o.backend) {
        measure_machine({*o.backend, o.scenario, o.samples, o.base, o.name, o.out, o.date.value_or(today()), o.quick});
        return;
    }
    std::vector<MeasuredTable> tables;
    for (const std::string& file : o.from) tables.push_back(read_table(file));
    Profile base = starting_profile(o, chosen_gpu(o, tables));
    if (o.name) base.name = *o.name;
    const FromTables fitted = fit_tables(base, tables, o.date.value_or(today()));
    const std::string text = to_json(fitted.profile).dump(2) + "\n";
    parse_profile(parse_json(text, o.out), o.out);  // what is written is what can be read
    write_file(o.out, text);
    std::string answer;
    for (const FitNote& note : fitted.notes)
        answer += fmt::format("{:9} {}\n", note.left_out ? "left out" : "fitted", note.what);
    print(answer + fmt::format("\nwritten   {}\n", o.out));
}

}  // namespace

void add_calibrate_command(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App* command =
        app.add_subcommand("calibrate", "Fits a profile to measurements: tables of others, or this machine");
    command->add_option("--from", options->from,
                        "tables that others measured: output of nccl-tests (text, JSON) or DeepEP's tests, CSV of "
                        "aiconfigurator (nccl, moe, DeepEP, gemm), InferSim or Frontier; told by their content");
    command
        ->add_option("--backend", options->backend,
                     "measures this machine: \"cpu\", a core a rank; links where it runs under mpirun")
        ->check(CLI::IsMember({"cpu", "cuda"}));
    command->add_option("SCENARIO", options->scenario, "with --backend: whose shapes to time (those of a small layer)");
    command->add_flag("--quick", options->quick, "with --backend: a minute at most, and less sure");
    command->add_option("--samples", options->samples, "with --backend: a file for every single reading, CSV");
    command->add_option("-o,--out", options->out, "a file for the profile")->required();
    command->add_option("--gpu", options->gpu, "whose rows to take where the tables are of several: H100, say");
    command->add_option("--base", options->base,
                        "a profile for what the tables do not tell (the shipped one of the GPU)");
    command->add_option("--name", options->name,
                        "of the profile (that of the base; with --backend that of the machine)");
    command->add_option("--date", options->date, "of the fit, for its record: 2026-11-23 (today)");
    command->callback([options] { calibrate(*options); });
}

}  // namespace moesim
