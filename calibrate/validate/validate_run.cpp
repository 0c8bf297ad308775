#include "calibrate/validate/validate_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/quantiles.hpp"
#include "config/json_text.hpp"
#include "config/scenario_json.hpp"
#include "result/human.hpp"

namespace moesim {
namespace {

using Out = nlohmann::ordered_json;

constexpr double counting_share = 0.05;

HeldFigure held(std::string name, double predicted, double measured, std::vector<double> draws) {
    HeldFigure f{std::move(name), predicted, measured, predicted, predicted};
    if (draws.empty()) return f;
    std::sort(draws.begin(), draws.end());
    f.low_s = quantile(draws, 0.05);
    f.high_s = quantile(draws, 0.95);
    return f;
}

// What decides the work: without names, and without what only simulations look at.
nlohmann::json work_of(const Scenario& scenario) {
    nlohmann::json j = to_json(scenario);
    for (const char* key :
         {"schema", "name", "description", "source", "profile", "network", "stragglers", "shared_cores"})
        j.erase(key);
    j["model"].erase("expert_kernel");
    j["dispatch"].erase("window");  // the profile's, where the scenario says nothing
    return j;
}

int order(double a, double b, double tie) {
    if (std::abs(a - b) <= tie * std::min(a, b)) return 0;
    return a < b ? -1 : 1;
}

Out report_json(const RunReport& report) {
    const auto figure = [](const HeldFigure& f) {
        const double error = f.error();
        return Out{{"name", f.name},
                   {"predicted_s", f.predicted_s},
                   {"low_s", f.low_s},
                   {"high_s", f.high_s},
                   {"measured_s", f.measured_s},
                   {"error", std::isfinite(error) ? Out(error) : Out(nullptr)},
                   {"inside", f.inside()}};
    };
    Out stages = Out::array();
    for (const HeldFigure& f : report.stages) stages.push_back(figure(f));
    return {{"name", report.name},
            {"draws", report.draws},
            {"stages", std::move(stages)},
            {"total", figure(report.total)},
            {"worst_error", report.worst_error()}};
}

std::string report_text(const RunReport& report) {
    std::string text = fmt::format("{}\n\nstage           predicted     measured     error   5% to 95% of {} draws\n",
                                   report.name, report.draws);
    const auto line = [&](const HeldFigure& f) {
        const std::string error =
            std::isfinite(f.error()) ? fmt::format("{:+.1f}%", 100 * f.error()) : std::string("-");
        text += fmt::format("{:<12} {:>12} {:>12} {:>9}   {} to {}{}\n", f.name, human(Seconds(f.predicted_s)),
                            human(Seconds(f.measured_s)), error, human(Seconds(f.low_s)), human(Seconds(f.high_s)),
                            f.inside() ? "" : "  outside");
    };
    for (const HeldFigure& f : report.stages) line(f);
    line(report.total);
    text += fmt::format("\nworst error  {:.1f}%, of the total and of stages that are at least {:.0f}% of it\n",
                        100 * report.worst_error(), 100 * counting_share);
    return text;
}

}  // namespace

SimulatedStages simulated_stages(const nlohmann::json& result) {
    SimulatedStages p;
    p.makespan_s = result.at("makespan_s").get<double>();
    for (std::size_t s = 0; s < stage_count; ++s) p.mean_s[s] = result.at("stages").at(s).at("mean_s").get<double>();
    return p;
}

double HeldFigure::error() const {
    if (measured_s == 0) return predicted_s == 0 ? 0 : std::numeric_limits<double>::infinity();
    return predicted_s / measured_s - 1;
}

std::vector<const HeldFigure*> RunReport::that_count() const {
    std::vector<const HeldFigure*> all = {&total};
    for (const HeldFigure& f : stages)
        if (f.measured_s >= counting_share * total.measured_s) all.push_back(&f);
    return all;
}

double RunReport::worst_error() const {
    double worst = 0;
    for (const HeldFigure* f : that_count()) worst = std::max(worst, std::abs(f->error()));
    return worst;
}

RunReport hold(const MeasuredRun& run, const SimulatedStages& prediction, const std::vector<SimulatedStages>& draws) {
    RunReport report;
    report.name = run.scenario.name;
    report.draws = draws.size();
    const auto of_draws = [&](auto of) {
        std::vector<double> values;
        values.reserve(draws.size());
        for (const SimulatedStages& d : draws) values.push_back(of(d));
        return values;
    };
    for (std::size_t s = 0; s < stage_count; ++s)
        report.stages.push_back(held(std::string(stage_names[s]), prediction.mean_s[s],
                                     run.median_mean(static_cast<Stage>(s)),
                                     of_draws([&](const SimulatedStages& d) { return d.mean_s[s]; })));
    report.total = held("total", prediction.makespan_s, run.median_makespan(),
                        of_draws([](const SimulatedStages& d) { return d.makespan_s; }));
    return report;
}

Ranking rank_alike(const std::vector<double>& predicted, const std::vector<double>& measured, double tie) {
    std::int64_t alike = 0, of_predicted = 0, of_measured = 0;
    for (std::size_t a = 0; a < predicted.size(); ++a)
        for (std::size_t b = a + 1; b < predicted.size(); ++b) {
            const std::int64_t p = order(predicted[a], predicted[b], tie), m = order(measured[a], measured[b], tie);
            alike += p * m;
            of_predicted += p * p;
            of_measured += m * m;
        }
    Ranking r;
    const double pairs = std::sqrt(static_cast<double>(of_predicted)) * std::sqrt(static_cast<double>(of_measured));
    // Where one side has nothing but ties, nothing can be unlike.
    r.kendall_tau = pairs > 0 ? static_cast<double>(alike) / pairs : 1;
    const auto best = std::min_element(predicted.begin(), predicted.end()) - predicted.begin();
    r.regret = measured[static_cast<std::size_t>(best)] / *std::min_element(measured.begin(), measured.end()) - 1;
    return r;
}

void check_same(const Scenario& scenario, const std::string& origin, const Scenario& ran, const std::string& run_file) {
    const nlohmann::json asked = work_of(scenario), there = work_of(ran);
    const nlohmann::json difference = nlohmann::json::diff(asked, there);
    if (difference.empty()) return;
    const std::string pointer = difference[0]["path"].get<std::string>();
    std::string path = "$.scenario" + pointer;
    std::replace(path.begin(), path.end(), '/', '.');
    const auto text = [&](const nlohmann::json& j) {
        const nlohmann::json::json_pointer at(pointer);
        return j.contains(at) ? clipped(j[at].dump()) : std::string("nothing");
    };
    throw InputError(
        fmt::format("{}: {}: found {}, expected {}, as {} has it", run_file, path, text(there), text(asked), origin));
}

Ranking rank_alike(const std::vector<RunReport>& reports) {
    std::vector<double> predicted, measured;
    for (const RunReport& r : reports) {
        predicted.push_back(r.total.predicted_s);
        measured.push_back(r.total.measured_s);
    }
    return rank_alike(predicted, measured);
}

nlohmann::ordered_json to_json(const std::vector<RunReport>& reports) {
    Out runs = Out::array();
    for (const RunReport& r : reports) runs.push_back(report_json(r));
    Out all = {{"runs", std::move(runs)}};
    if (reports.size() > 1) {
        const Ranking ranking = rank_alike(reports);
        all["ranking"] = {{"kendall_tau", ranking.kendall_tau}, {"regret", ranking.regret}};
    }
    return all;
}

std::string table(const std::vector<RunReport>& reports) {
    std::string text;
    for (const RunReport& r : reports) text += report_text(r) + (reports.size() > 1 ? "\n" : "");
    if (reports.size() < 2) return text;
    const Ranking ranking = rank_alike(reports);
    return text +
           fmt::format(
               "ranking      of {} runs by their totals: Kendall tau {:.2f}; the one predicted to be the fastest "
               "took {:.1f}% more than the fastest\n",
               reports.size(), ranking.kendall_tau, 100 * ranking.regret);
}

}  // namespace moesim
