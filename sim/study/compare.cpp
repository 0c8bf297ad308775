#include "study/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"
#include "config/placement_document.hpp"
#include "config/placement_formats/write_placement.hpp"
#include "planner/layer_time_search.hpp"
#include "study/run_apart.hpp"
#include "study/simulated_makespans.hpp"
#include "topology/fabric.hpp"

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
    const auto& memory = result["memory"];
    return memory["ranks"][memory["fullest_rank"].get<std::size_t>()]["total_bytes"].get<double>();
}

// [layer][expert]: choices, all batches together.
Matrix<double> judged_load(const std::vector<nlohmann::json>& results, std::size_t layers, std::size_t experts) {
    Matrix<double> load(layers, experts);
    for (const auto& r : results)
        for (std::size_t l = 0; l < layers; ++l)
            for (std::size_t e = 0; e < experts; ++e)
                load(l, e) += r["load"]["layers"][l]["expert_tokens"][e].get<double>();
    return load;
}

WorkloadShift shift_of(const WorkloadCounts& learned, const std::vector<nlohmann::json>& results) {
    double tokens = 0;
    for (const auto& r : results) tokens += r["tokens"].get<double>();
    return {load_distance(learned.load, judged_load(results, learned.layers, learned.experts)),
            distance_by_chance(*learned.trace, tokens)};
}

double mean_copies(const PlacementDocument& d) {
    std::size_t copies = 0;
    for (std::size_t l = 0; l < d.layers.size(); ++l) copies += d.copies(l);
    return static_cast<double>(copies) / static_cast<double>(d.layers.size() * d.experts);
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
    m.layer_batches_s = times;
    m.layer_p95_s = p95(std::move(times));
}

// Methods may prove bounds of what others make small as well, among those that place one copy of each expert, as many
// on each GPU.
void share_bounds(std::vector<ComparedMethod>& all) {
    for (ComparedMethod& m : all)
        for (const ComparedMethod& other : all)
            if (!planner_method(m.name).uses.copies && !planner_method(other.name).uses.copies &&
                other.objective == m.objective && other.bound && (!m.bound || *other.bound > *m.bound))
                m.bound = other.bound;
}

// A file for each method: programs.lp is programs-exflow.lp.
std::string program_file_of(const std::string& file, const std::string& method) {
    if (file.empty()) return {};
    const std::filesystem::path path(file);
    return (path.parent_path() / (path.stem().string() + "-" + method + path.extension().string())).string();
}

ComparedMethod planned(const std::string& name, const PlannerResult& plan) {
    ComparedMethod m;
    m.name = name;
    m.objective = plan.objective;
    m.value = plan.value;
    m.bound = plan.bound;
    m.solve_s = plan.took.value();
    m.stopped = plan.stopped;
    return m;
}

// What placements of the comparison take on learned tokens.
class Learned {
  public:
    Learned(const Scenario& scenario, const PlannerProblem& problem)
        : layers_(static_cast<double>(scenario.model.moe_layers)), fabric_(build_fabric(scenario.topology)),
          model_(problem.workload, scenario, fabric_, layer_time_tokens) {}

    // Keeps what a method simulates.
    [[nodiscard]] SimulatePlacements listening(SimulatePlacements simulate) {
        return [this, simulate = std::move(simulate)](const std::vector<Placement>& placements,
                                                      std::optional<double> seconds) {
            std::vector<Seconds> times = simulate(placements, seconds);
            for (std::size_t i = 0; i < placements.size(); ++i) simulated_.emplace_back(placements[i], times[i]);
            return times;
        };
    }

    void tell(const Placement& placement, std::optional<Seconds> simulated, ComparedMethod& m) const {
        m.closed_form_s = model_.mean_time(placement).value();
        if (simulated) m.learned_layer_s = simulated->value() / layers_;
        for (const auto& [known, time] : simulated_)
            if (!m.learned_layer_s && known == placement) m.learned_layer_s = time.value() / layers_;
    }

    [[nodiscard]] double bound(std::size_t slots) const { return model_.mean_bound(slots).value(); }

  private:
    double layers_;
    Fabric fabric_;
    LayerTimeModel model_;
    std::vector<std::pair<Placement, Seconds>> simulated_;
};

// The others first, so that `search` can begin with what they found.
std::vector<std::size_t> order_of(const std::vector<std::string>& methods) {
    std::vector<std::size_t> order(methods.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_partition(order.begin(), order.end(), [&](std::size_t m) { return methods[m] != "search"; });
    return order;
}

}  // namespace

Comparison compare(const Scenario& scenario, const std::string& origin, const CompareOptions& o,
                   const std::function<void(const std::string&)>& progress) {
    check_methods(o.methods);  // before the work
    progress("learning");
    const PlannerProblem problem = planner_problem(scenario, origin, o.planning);
    const std::vector<Scenario> batches = judged_batches(scenario, origin, o.planning, o.batches, o.folder);
    MethodOptions method = method_options(scenario, o.method);
    method.simulate = simulated_makespans(scenario, origin, o.planning, o.program, o.folder);

    Comparison c;
    c.learned_tokens = problem.workload.tokens;
    c.recorded_tokens = recorded_to_judge(scenario, origin, o.planning);
    const std::vector<std::size_t> order = order_of(o.methods);
    std::optional<Learned> learned;
    if (!order.empty() && o.methods[order.back()] == "search") {
        learned.emplace(scenario, problem);
        method.simulate = learned->listening(std::move(method.simulate));
    }
    std::vector<std::vector<NamedRun>> runs_of(o.methods.size());
    std::vector<std::pair<std::size_t, PlannerResult>> plans;
    c.methods.resize(o.methods.size());
    for (const std::size_t i : order) {
        const std::string& name = o.methods[i];
        progress("placing: " + name);
        ComparedMethod& m = c.methods[i];
        m.name = name;
        try {
            MethodOptions own = method;
            own.program_file = program_file_of(method.program_file, name);
            const PlannerMethod& with = planner_method(name);
            const PlannerResult plan = with.plan(problem, own, o.effort, {});
            check_fits(problem, plan.placement);
            m = planned(name, plan);
            m.load_above_limit = load_above_limit(with, own, problem, plan.placement);
            const auto document = std::make_shared<const PlacementDocument>(
                planned_document(plan, with, scenario, origin, problem, o.planning));
            m.copies = mean_copies(*document);
            write_file(std::filesystem::path(o.folder) / (name + ".placement.json"),
                       placement_text(*document, PlacementFormat::moesim));
            for (std::size_t b = 0; b < batches.size(); ++b) {
                runs_of[i].push_back({fmt::format("{}-{}", name, b + 1), batches[b]});
                runs_of[i].back().scenario.placement.document = document;
            }
            method.known.push_back({name, plan.placement});
            plans.emplace_back(i, plan);
        } catch (const Error& e) {
            if (e.code() == ExitCode::own_fault) throw;
            m.failure = e.what();
        }
    }
    if (learned) {
        for (const auto& [i, plan] : plans) learned->tell(plan.placement, plan.simulated, c.methods[i]);
        c.closed_form_bound_s = learned->bound(problem.slots);
    }
    std::vector<NamedRun> runs;
    for (auto& of_method : runs_of) std::move(of_method.begin(), of_method.end(), std::back_inserter(runs));
    if (runs.empty())
        throw CheckFailed("no method found a placement; " + c.methods[0].name + ": " + c.methods[0].failure);
    const auto simulated = [&](std::size_t ended) {
        progress(fmt::format("simulated: {} of {} batches", ended, runs.size()));
    };
    simulated(0);
    bool judged_one = false;
    auto outcomes = try_apart(o.program, runs, o.folder, simulated);
    std::size_t first = 0;
    for (ComparedMethod& m : c.methods) {
        if (!m.failure.empty()) continue;
        std::vector<nlohmann::json> results;
        for (std::size_t b = 0; b < o.batches; ++b, ++first) {
            if (!outcomes[first].failure.empty()) m.failure = outcomes[first].failure;
            results.push_back(std::move(outcomes[first].result));
        }
        if (!m.failure.empty()) continue;
        if (!judged_one) c.shift = shift_of(problem.workload, results);
        judged_one = true;
        judge(scenario, results, m);
    }
    if (!judged_one) throw CheckFailed("no placement can be run; " + c.methods[0].name + ": " + c.methods[0].failure);
    share_bounds(c.methods);
    return c;
}

}  // namespace moesim
