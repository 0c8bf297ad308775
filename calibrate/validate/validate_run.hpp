#pragma once
// Predictions held against what an execution measured.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/stage.hpp"
#include "calibrate/execute/run_document.hpp"

namespace moesim {

// What one simulation says.
struct SimulatedStages {
    double makespan_s = 0;
    std::array<double, stage_count> mean_s{};  // over ranks
};
// Of a moesim.result/1.
SimulatedStages simulated_stages(const nlohmann::json& result);

// One figure, predicted and measured.
struct HeldFigure {
    std::string name;  // a stage's, or "total"
    double predicted_s = 0, measured_s = 0;
    double low_s = 0, high_s = 0;        // 5% and 95% of the draws; both the prediction without any
    [[nodiscard]] double error() const;  // predicted / measured - 1; of 0 and 0: 0, of nothing measured: infinite
    [[nodiscard]] bool inside() const { return low_s <= measured_s && measured_s <= high_s; }
};

struct RunReport {
    std::string name;
    std::size_t draws = 0;
    std::vector<HeldFigure> stages;  // [stage]
    HeldFigure total;
    // Those that a verdict looks at: the total, and stages that are at least a twentieth of it.
    [[nodiscard]] std::vector<const HeldFigure*> that_count() const;
    [[nodiscard]] double worst_error() const;  // of their magnitudes
};

// Stages are means over ranks, of the median over repeats. draws: of drawn_profile, one SimulatedStages each.
RunReport hold(const MeasuredRun& run, const SimulatedStages& prediction, const std::vector<SimulatedStages>& draws);

// How alike a set of runs is ranked by prediction and measurement.
struct Ranking {
    double kendall_tau = 1;  // tau-b (Kendall, Biometrika 33(3), 1945): pairs alike less pairs unlike, ties left out
    double regret = 0;       // of following the prediction: measured time of its best over the best measured, less 1
};
// [run]: seconds of at least two runs; times within `tie` of each other (relative) count as equal.
Ranking rank_alike(const std::vector<double>& predicted, const std::vector<double>& measured, double tie = 0);
// By the totals.
Ranking rank_alike(const std::vector<RunReport>& reports);

// Throws InputError where the run was of another scenario: routing, model, batch, placement, dispatch, schedule,
// topology. Profiles, and models of the network, may differ.
void check_same(const Scenario& scenario, const std::string& origin, const Scenario& ran, const std::string& run_file);

// {"runs": [{"name", "draws", "stages": [{"name", "predicted_s", "low_s", "high_s", "measured_s", "error", "inside"}],
// "total": {...}, "worst_error"}], and of several runs "ranking": {"kendall_tau", "regret"}}.
nlohmann::ordered_json to_json(const std::vector<RunReport>& reports);
std::string table(const std::vector<RunReport>& reports);

}  // namespace moesim
