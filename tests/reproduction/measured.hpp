#pragma once
// Tables that others measured. They are not part of this repository: they are looked for beside it.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moesim::test {

// The folder of the tables, whether it is there or not.
std::filesystem::path measured_tables();
// The same of timed calls of communication libraries.
std::filesystem::path measured_calls();

// One row of the capacity-factor sweep.
struct MeasuredDrop {
    std::int64_t tokens = 0, experts = 0, top_k = 0;
    double capacity_factor = 0, drop_rate = 0;
};
// Empty where the tables are absent.
std::vector<MeasuredDrop> measured_capacity_sweep();

// One training run of a routing strategy. Both measures are averaged over what the run logged (all layers).
struct MeasuredRun {
    std::string strategy;
    std::int64_t experts = 0, top_k = 0;
    double capacity_factor = 0;
    double drop_rate = 0;  // 1 - (choices kept) / (choices made)
    double load_cv = 0;    // of the kept choices of the experts, after drops: deviation (population) over mean
};
// Of 8 experts and of 32 experts; empty where the tables are absent.
std::vector<MeasuredRun> measured_runs();

}  // namespace moesim::test
