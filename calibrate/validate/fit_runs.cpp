#include "calibrate/validate/fit_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "calibrate/fit.hpp"
#include "calibrate/measure/link_kinds.hpp"
#include "calibrate/rounding.hpp"
#include "calibrate/validate_table.hpp"

namespace moesim {
namespace {

constexpr double scale = 0.05;  // fit.hpp
constexpr std::array<Stage, 2> exchanges = {Stage::dispatch, Stage::return_};

// The stage that an operation takes most of the time of.
Stage stage_of(KernelOperation operation) {
    switch (operation) {
        case KernelOperation::gate_logits: return Stage::gate;
        case KernelOperation::select:
        case KernelOperation::order_by_destination:
        case KernelOperation::order_by_rank: return Stage::select;
        case KernelOperation::pack:
        case KernelOperation::pack_fp8: return Stage::pack;
        case KernelOperation::expert_forward:
        case KernelOperation::round_rows: return Stage::expert;
        case KernelOperation::unpack:
        case KernelOperation::unpack_fp8: return Stage::unpack;
        case KernelOperation::combine: return Stage::combine;
        case KernelOperation::add_residual: return Stage::residual;
        case KernelOperation::dense:
        case KernelOperation::attention: return Stage::attention;
    }
    throw InternalError("an operation without a stage");
}

double seconds_of(const SimulatedStages& s, Stage stage) { return s.mean_s[static_cast<std::size_t>(stage)]; }

using Runs = std::vector<const MeasuredRun*>;

// Simulations of all runs under a profile; kept, since a fit asks for each stage of each run in turn.
class Predictions {
  public:
    Predictions(const Runs& runs, const Simulate& simulate) : runs_(runs), simulate_(simulate) {}

    // [run]
    const std::vector<SimulatedStages>& under(const Profile& profile) {
        if (!at_ || !(*at_ == profile)) {
            std::vector<Scenario> scenarios;
            for (const MeasuredRun* run : runs_) {
                scenarios.push_back(run->scenario);
                scenarios.back().profile = profile;
            }
            stages_ = simulate_(scenarios);
            at_ = profile;
        }
        return stages_;
    }

  private:
    const Runs& runs_;
    const Simulate& simulate_;
    std::optional<Profile> at_;
    std::vector<SimulatedStages> stages_;
};

// Where ranks share cores, operations that take longer also meet more of those of other ranks: what follows from a
// factor is known by simulating again.
void fit_operations(Profile& profile, const Runs& runs, Predictions& predictions) {
    constexpr int most_passes = 8;
    constexpr double settled = 0.002;
    double largest_change = 1;
    for (int pass = 0; pass < most_passes && largest_change > settled; ++pass) {
        largest_change = 0;
        const std::vector<SimulatedStages> now = predictions.under(profile);
        for (KernelLaw& law : profile.kernels.laws) {
            const Stage stage = stage_of(law.operation);
            std::vector<double> ratios;
            for (std::size_t r = 0; r < runs.size(); ++r)
                if (const double p = seconds_of(now[r], stage); p > 0)
                    ratios.push_back(runs[r]->median_mean(stage) / p);
            if (ratios.empty()) continue;
            const double factor = median_of(std::move(ratios));
            if (factor <= 0) continue;
            largest_change = std::max(largest_change, std::abs(factor - 1));
            for (double& seconds : law.seconds_per)
                if (seconds > 0) seconds = std::clamp(four_digits(seconds * factor), 1e-15, 1.0);
        }
    }
}

void fit_exchanges(Profile& profile, const std::set<LinkKind>& kinds, const Runs& runs, Predictions& predictions) {
    std::vector<Figure> figures;
    double shortest = 1;
    for (const MeasuredRun* run : runs)
        for (const Stage s : exchanges)
            if (run->median_mean(s) > 0) shortest = std::min(shortest, run->median_mean(s));
    for (const LinkKind kind : kinds) {
        LinkProfile& link = links_of(profile, kind);
        // From where both figures count for something: logarithms of none would not move.
        link.efficiency.value = std::min(link.efficiency.value, 0.95);
        link.overhead.value = std::max(link.overhead.value, Seconds(0.02 * shortest));
        for (Figure& f : link_figures(kind)) figures.push_back(std::move(f));
    }
    std::vector<Sample> samples;
    for (std::size_t r = 0; r < runs.size(); ++r)
        for (const Stage s : exchanges)
            if (const double measured = runs[r]->median_mean(s); measured > 0)
                samples.push_back({[&predictions, r, s](const Profile& p) {
                                       return std::max(1e-12, seconds_of(predictions.under(p)[r], s));
                                   },
                                   measured});
    fit(profile, figures, samples, scale);
}

Profile fitted(Profile profile, const std::set<LinkKind>& kinds, const Runs& runs, const Simulate& simulate) {
    Predictions predictions(runs, simulate);
    fit_operations(profile, runs, predictions);
    fit_exchanges(profile, kinds, runs, predictions);
    return profile;
}

// measured / predicted of each repeat of a run, by a fit to all other runs. [stage]
using Ratios = std::array<std::vector<double>, stage_count>;

Ratios held_out_ratios(const Profile& base, const std::set<LinkKind>& kinds, const std::vector<MeasuredRun>& runs,
                       const Simulate& simulate) {
    Ratios ratios;
    for (std::size_t held = 0; held < runs.size(); ++held) {
        Runs others;
        for (std::size_t r = 0; r < runs.size(); ++r)
            if (r != held) others.push_back(&runs[r]);
        const Profile profile = fitted(base, kinds, others, simulate);
        const Runs alone = {&runs[held]};
        const SimulatedStages predicted = Predictions(alone, simulate).under(profile).front();
        for (std::size_t s = 0; s < stage_count; ++s)
            for (const RunSample& repeat : runs[held].runs)
                if (predicted.mean_s[s] > 0 && repeat.mean_s[s] > 0)
                    ratios[s].push_back(std::clamp(repeat.mean_s[s] / predicted.mean_s[s], 1e-3, 1e3));
    }
    return ratios;
}

std::set<LinkKind> kinds_of(const TopologySpec& topology) {
    const Fabric fabric = build_fabric(topology);
    std::set<LinkKind> kinds;
    for (std::size_t from = 0; from < fabric.ranks(); ++from)
        for (std::size_t to = 0; to < fabric.ranks(); ++to)
            if (from != to) kinds.insert(link_kind(fabric, RankId(from), RankId(to)));
    return kinds;
}

// That runs are of one cluster and of one way to compute and to send: times of one say nothing of another's. Machines
// of the same kind may differ in name: a cluster has several.
std::set<LinkKind> check(const std::vector<MeasuredRun>& runs) {
    if (runs.size() < 3)
        throw InputError(
            fmt::format("--from: found {} runs, expected at least 3, of which each is held out in turn", runs.size()));
    const auto name = [](const MeasuredRun& run) { return run.file.empty() ? run.scenario.name : run.file; };
    for (const MeasuredRun& run : runs) {
        if (run.dispatch_bytes == 0 || run.median_mean(Stage::dispatch) + run.median_mean(Stage::return_) <= 0)
            throw InputError(fmt::format(
                "{}: $.dispatch_bytes and $.runs: found no messages that took time, expected some", name(run)));
        if (!(run.scenario.topology == runs.front().scenario.topology))
            throw InputError(fmt::format("{}: $.scenario.topology: found another one than in {}, expected the same",
                                         name(run), name(runs.front())));
        const RunFacts &of = run.facts, &first = runs.front().facts;
        const auto expect_same = [&](const char* key, const std::string& found, const std::string& expected) {
            if (found != expected)
                throw InputError(fmt::format("{}: $.{}: found \"{}\", expected \"{}\", as in {}", name(run), key, found,
                                             expected, name(runs.front())));
        };
        expect_same("scenario.shared_cores", to_json(run.scenario.shared_cores).dump(),
                    to_json(runs.front().scenario.shared_cores).dump());
        expect_same("backend", of.backend, first.backend);
        expect_same("device", of.device, first.device);
        expect_same("messages", of.messages, first.messages);
    }
    return kinds_of(runs.front().scenario.topology);
}

// Of n runs' ratios to a prediction, those of a run to come: further from their median, as Student's t says that a
// interval (of 90%) of so few is wider than that of a known normal distribution, over logarithms. (Hahn and Meeker,
// Statistical Intervals, 1991, chapter 4. The fit's own uncertainty, its sqrt(1 + 1 / n), is in held-out ratios
// already.)
std::vector<double> of_a_run_to_come(std::vector<double> ratios, std::size_t runs) {
    const double freedom = static_cast<double>(runs) - 1;
    const double t = boost::math::quantile(boost::math::students_t(freedom), 0.95);
    const double wider = t / boost::math::quantile(boost::math::normal(), 0.95);
    const double middle = median_of(ratios);
    for (double& r : ratios) r = std::clamp(middle * std::pow(r / middle, wider), 1e-3, 1e3);
    return twenty_quantiles(std::move(ratios));
}

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

ErrorSummary errors_of(const std::vector<double>& ratios) {
    std::vector<double> errors;
    errors.reserve(ratios.size());
    for (const double r : ratios) errors.push_back(1 / r - 1);
    return summary(errors);
}

std::string worth(const std::vector<double>& ratios) {
    const ErrorSummary e = errors_of(ratios);
    return fmt::format("held-out runs: median {}, worst {} of {} repeats", percent(e.median), percent(e.max), e.n);
}

}  // namespace

RunFit fit_runs(const Profile& base, const std::vector<MeasuredRun>& runs, const Simulate& simulate,
                const std::string& date) {
    const std::set<LinkKind> kinds = check(runs);
    Profile begin = base;
    if (kinds.count(LinkKind::pcie) != 0 && !begin.pcie) begin.pcie = begin.nvlink;
    const Ratios ratios = held_out_ratios(begin, kinds, runs, simulate);
    Runs all;
    for (const MeasuredRun& run : runs) all.push_back(&run);
    RunFit result{fitted(begin, kinds, all, simulate), {}};

    const std::string how = fmt::format("{} runs of pipelines on {} ranks, {}", runs.size(),
                                        runs.front().scenario.parallelism.ranks(), date);
    std::vector<double> network;
    for (const Stage s : exchanges) {
        const auto& of = ratios[static_cast<std::size_t>(s)];
        network.insert(network.end(), of.begin(), of.end());
    }
    for (const LinkKind kind : kinds) {
        LinkProfile& link = links_of(result.profile, kind);
        const std::string source = fmt::format("Fitted to dispatch and return of {}; {}.", how, worth(network));
        link.efficiency.source = source;
        link.overhead.source = source;
        link.residuals = {of_a_run_to_come(network, runs.size()), source};
        result.notes.push_back(fmt::format("fitted    links.{}: efficiency {:.3f}, overhead {:.1f} us; {}", name(kind),
                                           link.efficiency.value, link.overhead.value.value() * 1e6, worth(network)));
    }
    std::map<Stage, std::string> stages;
    for (KernelLaw& law : result.profile.kernels.laws) {
        const Stage stage = stage_of(law.operation);
        const auto& of = ratios[static_cast<std::size_t>(stage)];
        const KernelLaw* before = begin.kernels.find(law.operation);
        if (of.empty() || before->seconds_per == law.seconds_per) continue;
        const ErrorSummary held = errors_of(of);
        law.fit.measured_on += fmt::format("; times measured / predicted of the {} stage of {}", name(stage), how);
        law.fit.date = date;
        law.fit.held_out = static_cast<std::int64_t>(held.n);
        law.fit.median = four_digits(held.median);
        law.fit.p90 = four_digits(held.p90);
        law.fit.worst = four_digits(held.max);
        law.fit.residuals = of_a_run_to_come(of, runs.size());
        for (std::size_t q = 0; q < kernel_quantities; ++q)
            if (before->seconds_per[q] > 0) {
                stages[stage] = fmt::format("fitted    {}: {:.2f} times what its operations take alone; {}",
                                            name(stage), law.seconds_per[q] / before->seconds_per[q], worth(of));
                break;
            }
    }
    for (auto& [stage, note] : stages) result.notes.push_back(std::move(note));
    return result;
}

}  // namespace moesim
