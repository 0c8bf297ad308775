#include "cli/calibrate.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "calibrate/base_profile.hpp"
#include "calibrate/from_tables.hpp"
#include "calibrate/predict.hpp"
#include "calibrate/tables/read_table.hpp"
#include "calibrate/validate/fit_runs.hpp"
#include "cli/measure.hpp"
#include "cli/output.hpp"
#include "cli/profile_file.hpp"
#include "cli/progress_bar.hpp"
#include "cli/simulate_stages.hpp"
#include "cli/temporary_folder.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

struct CalibrateArguments {
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

// The GPU to fit: the one that is asked for, that of the base profile, or the only one in the tables.
std::string chosen_gpu(const CalibrateArguments& o, const std::optional<Profile>& base,
                       const std::vector<MeasuredTable>& tables) {
    const auto there = gpus_in(tables);
    std::string of_base = base ? gpu_of(base->name) : std::string();
    if (o.gpu && !of_base.empty() && *o.gpu != of_base)
        throw InputError(fmt::format("--gpu: found \"{}\", expected {}, the GPU of --base", clipped(*o.gpu), of_base));
    if (o.gpu) {
        if (std::find(there.begin(), there.end(), *o.gpu) == there.end() && !there.empty())
            throw InputError(fmt::format("--gpu: found \"{}\", expected one that the tables name: {}", clipped(*o.gpu),
                                         fmt::join(there, ", ")));
        return *o.gpu;
    }
    if (!of_base.empty()) return of_base;
    if (there.size() > 1)
        throw InputError(fmt::format("--gpu: found nothing, expected one of those that the tables name: {}",
                                     fmt::join(there, ", ")));
    return there.empty() ? std::string() : there.front();
}

// What belongs to one way of calibrating only is refused with the other, rather than left unread.
void check(const CalibrateArguments& o) {
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

struct GivenFile {
    std::string name, text;
    [[nodiscard]] bool is_run() const { return text.substr(0, 200).find("\"moesim.run/") != text.npos; }
};

// Throws InputError where some are what moesim execute wrote and others are not.
std::vector<GivenFile> read_given(const std::vector<std::string>& names) {
    std::vector<GivenFile> files;
    files.reserve(names.size());
    for (const std::string& name : names) files.push_back({name, read_file(name, max_table_bytes)});
    for (auto f = files.begin(); f != files.end(); ++f)
        for (auto before = files.begin(); before != f; ++before)
            if (f->text == before->text)
                throw InputError(fmt::format("--from: {}: found the very content of {}, expected each measurement once",
                                             f->name, before->name));
    const auto is_run = [](const GivenFile& f) { return f.is_run(); };
    const auto run = std::find_if(files.begin(), files.end(), is_run);
    const auto other = std::find_if_not(files.begin(), files.end(), is_run);
    if (run != files.end() && other != files.end())
        throw InputError(fmt::format("--from: found both {}, a run, and {}, none, expected either runs or tables",
                                     run->name, other->name));
    return files;
}

void write_profile(const CalibrateArguments& o, const Profile& profile, const std::string& answer) {
    write_file(o.out, profile_text(profile, o.out));
    print(answer + fmt::format("\nwritten   {}\n", o.out));
}

void calibrate_from_runs(const CalibrateArguments& o, const std::vector<GivenFile>& files) {
    if (o.gpu) throw InputError("--gpu: found a value, expected none with runs");
    std::vector<MeasuredRun> runs;
    runs.reserve(files.size());
    for (const GivenFile& f : files) {
        runs.push_back(parse_run(parse_json(f.text, f.name), f.name));
        runs.back().file = f.name;
    }
    Profile base = runs.front().scenario.profile;
    if (o.base) base = load_profile(*o.base);
    if (o.name) base.name = *o.name;
    const TemporaryFolder folder;
    ProgressBar bar;
    std::size_t simulated = 0;
    const RunFit fitted = fit_runs(
        base, runs,
        [&](const std::vector<Scenario>& scenarios) {
            std::vector<NamedRun> named;
            named.reserve(scenarios.size());
            for (const Scenario& s : scenarios) named.push_back({fmt::format("run-{}", named.size()), s});
            auto stages = simulate_stages(named, folder.path(), {});
            simulated += scenarios.size();
            bar.show(fmt::format("simulated {}", simulated), 0);
            return stages;
        },
        o.date.value_or(today()));
    bar.clear();
    write_profile(o, fitted.profile, fmt::format("{}\n", fmt::join(fitted.notes, "\n")));
}

void calibrate(const CalibrateArguments& o) {
    check(o);
    if (o.backend) {
        measure_machine({*o.backend, o.scenario, o.samples, o.base, o.name, o.out, o.date.value_or(today()), o.quick});
        return;
    }
    expect_writable(o.out);
    const std::vector<GivenFile> files = read_given(o.from);
    if (files.front().is_run()) {
        calibrate_from_runs(o, files);
        return;
    }
    std::vector<MeasuredTable> tables;
    tables.reserve(files.size());
    for (const GivenFile& f : files) tables.push_back(parse_table(f.text, f.name));
    std::optional<Profile> given;
    if (o.base) given = load_profile(*o.base);
    const std::string gpu = chosen_gpu(o, given, tables);
    Profile base = given ? *given : base_profile(gpu);
    if (o.name) base.name = *o.name;
    const FromTables fitted = fit_tables(base, tables, o.date.value_or(today()));
    std::string answer;
    for (const FitNote& note : fitted.notes)
        answer += fmt::format("{:9} {}\n", note.left_out ? "left out" : "fitted", note.what);
    write_profile(o, fitted.profile, answer);
}

}  // namespace

void add_calibrate_command(CLI::App& app) {
    auto options = std::make_shared<CalibrateArguments>();
    CLI::App* command =
        app.add_subcommand("calibrate", "Fits a profile to measurements: tables of others, or this machine");
    command->add_option("--from", options->from,
                        "tables that others measured: output of nccl-tests (text, JSON) or DeepEP's tests, CSV of "
                        "aiconfigurator (nccl, moe, DeepEP, gemm), InferSim or Frontier; or what moesim execute "
                        "wrote, three runs or more; told by their content");
    command
        ->add_option("--backend", options->backend,
                     "measures this machine: \"cpu\", a core a rank, or \"cuda\", a GPU a rank; links where it runs "
                     "under mpirun")
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
