#include "calibrate/execute/run_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/version.hpp"
#include "config/json_object.hpp"
#include "config/scenario_json.hpp"
#include "result/human.hpp"

namespace moesim {
namespace {

using Out = nlohmann::ordered_json;

constexpr std::size_t most_runs = 100'000, most_ranks = 1'000'000;
constexpr double most_seconds = 1e9;

// Of each run one figure.
template <class Of>
double over_runs(const MeasuredRun& run, Of of) {
    std::vector<double> values;
    for (const RunSample& r : run.runs) values.push_back(of(r));
    return median_of(std::move(values));
}

Out stages_of(const std::array<double, stage_count>& values) {
    Out all = Out::object();
    for (std::size_t s = 0; s < stage_count; ++s) all[std::string(stage_names[s])] = values[s];
    return all;
}

std::array<double, stage_count> parse_stages(const JsonValue& value) {
    std::array<double, stage_count> values{};
    const JsonObject o(value, {"attention", "gate", "select", "pack", "dispatch", "expert", "return", "unpack",
                               "combine", "residual"});
    for (std::size_t s = 0; s < stage_count; ++s) values[s] = o[stage_names[s]].number(0, most_seconds);
    return values;
}

}  // namespace

double median_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double MeasuredRun::median_makespan() const {
    return over_runs(*this, [](const RunSample& r) { return r.makespan_s; });
}

double MeasuredRun::median_mean(Stage stage) const {
    return over_runs(*this, [&](const RunSample& r) { return r.mean_s[static_cast<std::size_t>(stage)]; });
}

std::size_t median_run(const MeasuredRun& run) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < run.runs.size(); ++i) order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return run.runs[a].makespan_s < run.runs[b].makespan_s; });
    return order[(order.size() - 1) / 2];
}

MeasuredRun summarize(Execution& done, RunFacts facts) {
    MeasuredRun run;
    run.scenario = done.result.plan.scenario;
    run.facts = std::move(facts);
    run.checksum = fmt::format("{:016x}", done.checksum);
    run.dispatch_bytes = done.dispatch_bytes;
    run.return_bytes = done.return_bytes;
    std::vector<Metrics> all;
    for (const auto& times : done.runs) {
        done.result.times = times;
        all.push_back(measure(done.result));
        RunSample sample;
        sample.makespan_s = all.back().makespan.value();
        for (std::size_t s = 0; s < stage_count; ++s) {
            const StageMetrics& stage = all.back().stages[s];
            sample.mean_s[s] = stage.mean.value();
            sample.slowest_s[s] = stage.slowest.value();
            sample.critical_path_s[s] = stage.critical_path.value();
        }
        run.runs.push_back(sample);
    }
    run.rank_s.resize(done.result.plan.fabric.ranks());
    for (std::size_t r = 0; r < run.rank_s.size(); ++r)
        for (std::size_t s = 0; s < stage_count; ++s) {
            std::vector<double> values;
            values.reserve(all.size());
            for (const Metrics& m : all) values.push_back(m.stages[s].per_rank[r].value());
            run.rank_s[r][s] = median_of(std::move(values));
        }
    done.result.times = done.runs[median_run(run)];
    return run;
}

Out to_json(const MeasuredRun& run) {
    Out runs = Out::array(), ranks = Out::array();
    for (const RunSample& r : run.runs)
        runs.push_back({{"makespan_s", r.makespan_s},
                        {"mean_s", stages_of(r.mean_s)},
                        {"slowest_s", stages_of(r.slowest_s)},
                        {"critical_path_s", stages_of(r.critical_path_s)}});
    for (const auto& r : run.rank_s) ranks.push_back(stages_of(r));
    return {{"schema", "moesim.run/1"},
            {"version", version()},
            {"backend", run.facts.backend},
            {"device", run.facts.device},
            {"messages", run.facts.messages},
            {"hosts", run.facts.hosts},
            {"checksum", run.checksum},
            {"reference", run.facts.reference},
            {"dispatch_bytes", run.dispatch_bytes},
            {"return_bytes", run.return_bytes},
            {"runs", std::move(runs)},
            {"median_per_rank_s", std::move(ranks)},
            {"scenario", to_json(run.scenario)}};
}

MeasuredRun parse_run(const nlohmann::json& document, const std::string& file) {
    const JsonObject o({&document, file, "$"}, "moesim.run/1",
                       {"schema", "version", "backend", "device", "messages", "hosts", "checksum", "reference",
                        "dispatch_bytes", "return_bytes", "runs", "median_per_rank_s", "scenario"});
    MeasuredRun run;
    (void)o["version"].line();
    run.facts.backend = o["backend"].line();
    run.facts.device = o["device"].line(1000);
    run.facts.messages = o["messages"].line(1000);
    run.facts.reference = o["reference"].line();
    for (const JsonValue& host : o["hosts"].elements(1, most_ranks)) run.facts.hosts.push_back(host.line());
    run.checksum = o["checksum"].line();
    run.dispatch_bytes = o["dispatch_bytes"].integer(0, INT64_MAX);
    run.return_bytes = o["return_bytes"].integer(0, INT64_MAX);
    for (const JsonValue& one : o["runs"].elements(1, most_runs)) {
        const JsonObject r(one, {"makespan_s", "mean_s", "slowest_s", "critical_path_s"});
        run.runs.push_back({r["makespan_s"].number(0, most_seconds), parse_stages(r["mean_s"]),
                            parse_stages(r["slowest_s"]), parse_stages(r["critical_path_s"])});
    }
    for (const JsonValue& rank : o["median_per_rank_s"].elements(1, most_ranks))
        run.rank_s.push_back(parse_stages(rank));
    if (!o["scenario"].present()) o["scenario"].fail("a scenario");
    run.scenario = parse_scenario(document, file, {});
    const auto expected = static_cast<std::size_t>(run.scenario.parallelism.ranks());
    if (run.rank_s.size() != expected) o["median_per_rank_s"].fail(fmt::format("{} elements, one a rank", expected));
    return run;
}

std::string table(const MeasuredRun& run) {
    std::string text =
        fmt::format("{}\n  {} on {}, {}, {}\n  makespan, dispatch and return as they took place; medians of {}\n\n",
                    run.scenario.name, counted(run.scenario.parallelism.ranks(), "rank"),
                    counted(static_cast<std::int64_t>(run.facts.hosts.size()), "slot"), run.facts.device,
                    run.facts.messages, counted(static_cast<std::int64_t>(run.runs.size()), "run"));
    const auto spread = [&](auto of) {
        double low = of(run.runs[0]), high = low;
        for (const RunSample& r : run.runs) {
            low = std::min(low, of(r));
            high = std::max(high, of(r));
        }
        return fmt::format("{} to {}", human(Seconds(low)), human(Seconds(high)));
    };
    text += fmt::format("makespan     {:>10}   {} over the runs\n\n", human(Seconds(run.median_makespan())),
                        spread([](const RunSample& r) { return r.makespan_s; }));
    text += "stage          mean/rank   slowest rank   critical path   mean over the runs\n";
    for (std::size_t s = 0; s < stage_count; ++s) {
        text += fmt::format("{:<12} {:>11} {:>14} {:>15}   {}\n", stage_names[s],
                            human(Seconds(run.median_mean(static_cast<Stage>(s)))),
                            human(Seconds(over_runs(run, [&](const RunSample& r) { return r.slowest_s[s]; }))),
                            human(Seconds(over_runs(run, [&](const RunSample& r) { return r.critical_path_s[s]; }))),
                            spread([&](const RunSample& r) { return r.mean_s[s]; }));
    }
    text += fmt::format("\ntraffic      dispatch {}, return {}\n", human(Bytes(run.dispatch_bytes)),
                        human(Bytes(run.return_bytes)));
    text += fmt::format("checksum     {} ({})\n", run.checksum, run.facts.reference);
    return text;
}

}  // namespace moesim
