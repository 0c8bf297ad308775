#include "reproduction/published_gains.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <tuple>

#include "config/scenario_json.hpp"
#include "placement/document.hpp"
#include "planner/affinity.hpp"
#include "reproduction/placement_table.hpp"
#include "study/compare.hpp"
#include "study/run_apart.hpp"
#include "support/program.hpp"

namespace moesim::test {
namespace {

// Which planners and judged batches are named after; nothing is read from it.
const std::string origin = "published gains";

double critical_path(const nlohmann::json& result, const std::string& stage) {
    for (const auto& s : result["stages"])
        if (s["stage"] == stage) return s["critical_path_s"].get<double>();
    return 0;
}

double stage_mean(const nlohmann::json& result, const std::string& stage) {
    for (const auto& s : result["stages"])
        if (s["stage"] == stage) return s["mean_s"].get<double>();
    return 0;
}

JudgedRun judged(const Scenario& s, const nlohmann::json& r, double crossing) {
    JudgedRun run;
    run.makespan = r["makespan_s"].get<double>();
    run.expert = stage_mean(r, "expert");
    run.attention_path = critical_path(r, "attention");
    run.expert_path = critical_path(r, "expert");
    run.network_path = critical_path(r, "dispatch") + critical_path(r, "return");
    const auto layers = static_cast<double>(s.model.moe_layers);
    const double tokens = layers * r["tokens"].get<double>();
    const auto there = static_cast<double>(s.model.hidden * bytes_of(s.dispatch.dtype));
    const auto back = static_cast<double>(s.model.hidden * bytes_of(s.dispatch.return_dtype));
    run.rows =
        (r["traffic"]["dispatch_bytes"].get<double>() / there + r["traffic"]["return_bytes"].get<double>() / back) /
        tokens;
    run.nic_rows = (r["all_to_all"]["dispatch"]["nic_bytes"].get<double>() / there +
                    r["all_to_all"]["return"]["nic_bytes"].get<double>() / back) /
                   tokens;
    for (const auto& layer : r["load"]["layers"]) run.imbalance += layer["rank_max_over_mean"].get<double>() / layers;
    run.crossing = crossing;
    return run;
}

// Slots that a cluster of all experts but one for each other GPU takes, beyond one for each expert.
std::size_t slots_of_any_size(const Scenario& s) {
    const auto experts = static_cast<std::size_t>(s.model.experts);
    const auto positions = static_cast<std::size_t>(s.parallelism.expert);
    return (experts - positions + 1) * positions - experts;
}

}  // namespace

Scenario shipped(const std::string& name) {
    const std::filesystem::path folder = std::filesystem::path(MOESIM_SOURCE_DIR) / "scenarios";
    return load_scenario(folder / (name.find('/') == std::string::npos ? "placement/" + name : name));
}

Scenario routed(Scenario scenario, double zipf, double affinity) {
    scenario.routing.popularity.base = ZipfSpec{zipf};
    scenario.routing.affinity = affinity;
    return scenario;
}

std::vector<JudgedRun> judge(const Scenario& scenario, const std::vector<std::string>& methods,
                             const JudgeOptions& options) {
    const Folder folder;
    PlanningOptions planning;
    planning.tokens = options.tokens;
    const Scenario batch = judged_batches(scenario, origin, planning, 1, folder.path()).front();
    std::vector<NamedRun> runs;
    std::vector<double> crossing;
    for (const std::string& name : methods) {
        planning.redundant = name == "moetuner_uneven" ? slots_of_any_size(scenario) : 0;
        const PlannerProblem problem = planner_problem(scenario, origin, planning);
        const PlannerResult plan =
            planner_method(name).plan(problem, method_options(scenario, {}), {0, options.seconds, {}}, {});
        crossing.push_back(problem.workload.layers > 1 ? crossing_share(problem.workload, plan.placement) : 0);
        runs.push_back({name, batch});
        runs.back().scenario.placement.document =
            std::make_shared<const PlacementDocument>(to_document(plan.placement, name));
    }
    const auto outcomes = try_apart(MOESIM_PROGRAM, runs, folder.path());
    std::vector<JudgedRun> all;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (!outcomes[i].failure.empty()) throw CheckFailed(outcomes[i].failure);
        all.push_back(judged(scenario, outcomes[i].result, crossing[i]));
    }
    return all;
}

double speedup(const JudgedRun& before, const JudgedRun& after) { return before.makespan / after.makespan - 1; }

double most_speedup(const JudgedRun& before) {
    return before.makespan / (before.makespan - before.network_path - before.expert_path + before.expert) - 1;
}

double by_even_experts(const JudgedRun& before) {
    return before.makespan / (before.makespan - before.expert_path + before.expert) - 1;
}

double implied_part(double speedup, double tail) { return (1 - 1 / (1 + speedup)) / tail; }

double CoherentGain::end_to_end_without_gather() const {
    return baseline.makespan / (placed.makespan - placed.attention_path + baseline.attention_path) - 1;
}

CoherentGain judge_coherent(const Scenario& scenario, const std::string& method, const JudgeOptions& options) {
    Scenario direct = scenario;
    direct.dispatch.algorithm = Algorithm::direct;
    const auto runs = judge(scenario, {"contiguous", method}, options);
    return {judge(direct, {"contiguous"}, options)[0], runs[0], runs[1]};
}

std::vector<double> recorded_mixtral_imbalance() {
    std::ifstream file(recorded_routings() / "allenai__OLMoE/expert_counts.csv");
    std::map<std::pair<std::string, std::string>, std::vector<double>> loads;  // {text, layer}: [expert]
    std::string line;
    while (std::getline(file, line)) {  // model,dataset,variant,layer,expert,count
        std::istringstream cells(line);
        std::string model, text, variant, layer, expert, count;
        for (std::string* cell : {&model, &text, &variant, &layer, &expert, &count}) std::getline(cells, *cell, ',');
        if (model == "mistral" && variant == "topk") loads[{text, layer}].push_back(std::stod(count));
    }
    std::vector<double> all;
    for (const auto& [key, load] : loads) {
        double most = 0, sum = 0;
        for (std::size_t e = 0; e + 1 < load.size(); e += 2) {
            most = std::max(most, load[e] + load[e + 1]);
            sum += load[e] + load[e + 1];
        }
        all.push_back(4 * most / sum);
    }
    return all;
}

}  // namespace moesim::test
