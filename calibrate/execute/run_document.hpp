#pragma once
// moesim.run/1: what an execution measured.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/stage.hpp"
#include "calibrate/execute/execute.hpp"
#include "config/scenario.hpp"
#include "result/metrics.hpp"

namespace moesim {

// What ran it.
struct RunFacts {
    std::string backend, device, messages;  // "cpu"; as it calls itself; the library that carried messages
    std::vector<std::string> hosts;         // [rank]
    std::string reference;                  // what a check against one process found, or "not checked"
    bool operator==(const RunFacts&) const = default;
};

// One repeat.
struct RunSample {
    double makespan_s = 0;
    // Over the ranks; as StageMetrics has them.
    std::array<double, stage_count> mean_s{}, slowest_s{}, critical_path_s{};
    bool operator==(const RunSample&) const = default;
};

struct MeasuredRun {
    std::string file;  // for messages: where it was read; empty where it was not
    Scenario scenario;
    RunFacts facts;
    std::vector<RunSample> runs;
    std::string checksum;  // hexadecimal
    std::int64_t dispatch_bytes = 0, return_bytes = 0;
    std::vector<std::array<double, stage_count>> rank_s;  // [rank]: medians over repeats

    [[nodiscard]] double median_makespan() const;
    [[nodiscard]] double median_mean(Stage stage) const;
    bool operator==(const MeasuredRun&) const = default;
};

// The middle one, of an even number the mean of the two middle ones. Not of nothing.
double median_of(std::vector<double> values);

MeasuredRun summarize(Execution& done, RunFacts facts);
// The repeat with the median makespan; of an even number, of the two the shorter one.
std::size_t median_run(const MeasuredRun& run);

nlohmann::ordered_json to_json(const MeasuredRun& run);
// Throws InputError.
MeasuredRun parse_run(const nlohmann::json& document, const std::string& file);

// What a person reads first.
std::string table(const MeasuredRun& run);

}  // namespace moesim
