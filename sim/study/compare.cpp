#include "study/compare.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "config/placement_document.hpp"
#include "placement/document.hpp"
#include "study/run_apart.hpp"

namespace moesim {
namespace {

double stage_mean(const nlohmann::json& result, const char* stage) {
    for (const auto& s : result["stages"])
        if (s["stage"] == stage) return s["mean_s"].get<double>();
    return 0;
}

// The smallest value that 95% of them do not exceed.
double p95(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(values.size())));
    return values[std::max<std::size_t>(rank, 1) - 1];
}

double fullest_rank_bytes(const nlohmann::json& result) {
    double most = 0;
    for (const auto& rank : result["memory"]["ranks"]) {
        double sum = 0;
        for (const auto& part : rank.items())
            if (part.value().is_number() && part.key() != "total_bytes") sum += part.value().get<double>();
        most = std::max(most, sum);
    }
    return most;
}

void judge(const Scenario& s, const std::vector<nlohmann::json>& results, ComparedMethod& m) {
    const auto layers = static_cast<double>(s.model.moe_layers), n = static_cast<double>(results.size());
    const double row = static_cast<double>(s.model.hidden * bytes_of(s.dispatch.dtype));
    std::vector<double> times;
    for (const auto& r : results) {
        const double rows = row * r["tokens"].get<double>() * layers;
        times.push_back(r["makespan_s"].get<double>() / layers);
        m.dispatch_s += stage_mean(r, "dispatch") / layers / n;
        m.expert_s += stage_mean(r, "expert") / layers / n;
        m.return_s += stage_mean(r, "return") / layers / n;
        m.remote_copies += r["traffic"]["dispatch_bytes"].get<double>() / rows / n;
        m.nic_copies += r["all_to_all"]["dispatch"].value("nic_bytes", 0.0) / rows / n;
        for (const auto& layer : r["load"]["layers"])
            m.load_max_over_mean += layer["rank_max_over_mean"].get<double>() / layers / n;
        m.memory_bytes = std::max(m.memory_bytes, fullest_rank_bytes(r));
    }
    m.layer_mean_s = std::accumulate(times.begin(), times.end(), 0.0) / n;
    m.layer_p95_s = p95(std::move(times));
}

}  // namespace

std::vector<ComparedMethod> compare(const Scenario& scenario, const std::string& origin, const CompareOptions& o,
                                    const std::function<void(const std::string&)>& progress) {
    for (const std::string& name : o.methods) (void)planner_method(name);  // before the work
    progress("learning");
    const PlannerProblem problem = planner_problem(scenario, origin, o.planning);
    const std::vector<Scenario> batches = judged_batches(scenario, origin, o.planning, o.batches, o.folder);
    const MethodOptions method = method_options(scenario, o.method);
    std::vector<ComparedMethod> all;
    std::vector<Scenario> runs;
    for (const std::string& name : o.methods) {
        progress("placing: " + name);
        const PlannerResult plan = planner_method(name).plan(problem, method, o.effort, {});
        ComparedMethod m;
        m.name = name;
        m.objective = plan.objective;
        m.value = plan.value;
        m.bound = plan.bound;
        m.solve_s = plan.took.value();
        const auto document = std::make_shared<const PlacementDocument>(to_document(plan.placement, name));
        std::size_t copies = 0;
        for (std::size_t l = 0; l < document->layers.size(); ++l) copies += document->copies(l);
        m.copies = static_cast<double>(copies) / static_cast<double>(document->layers.size() * document->experts);
        for (Scenario judged : batches) {
            judged.placement.document = document;
            runs.push_back(std::move(judged));
        }
        all.push_back(std::move(m));
    }
    progress("simulating");
    const auto results = run_apart(o.program, runs, o.folder);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto first = results.begin() + static_cast<std::ptrdiff_t>(i * o.batches);
        judge(scenario, {first, first + static_cast<std::ptrdiff_t>(o.batches)}, all[i]);
    }
    return all;
}

}  // namespace moesim
