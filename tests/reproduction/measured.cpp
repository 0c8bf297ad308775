#include "reproduction/measured.hpp"

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

namespace moesim::test {
namespace {

std::vector<std::string> cells(const std::string& line) {
    std::vector<std::string> all;
    std::istringstream in(line);
    for (std::string cell; std::getline(in, cell, ',');) all.push_back(cell);
    return all;
}

void read_runs(const std::filesystem::path& file, std::vector<MeasuredRun>& runs) {
    std::ifstream in(file);
    std::string line;
    if (!std::getline(in, line)) return;
    const std::vector<std::string> names = cells(line);
    while (std::getline(in, line)) {
        std::map<std::string, std::string> row;
        const std::vector<std::string> values = cells(line);
        for (std::size_t i = 0; i < values.size(); ++i) row[names.at(i)] = values[i];
        runs.push_back({row.at("router"), std::stoll(row.at("num_experts")), std::stoll(row.at("top_k")),
                        std::stod(row.at("capacity_factor")), std::stod(row.at("mean_drop_rate")),
                        std::stod(row.at("mean_load_cv"))});
    }
}

}  // namespace

std::filesystem::path measured_tables() {
    return std::filesystem::path(MOESIM_SOURCE_DIR).parent_path() /
           "shared/data/routing-traces/yuninxia__moe-routing-bench";
}

std::filesystem::path measured_calls() {
    return std::filesystem::path(MOESIM_SOURCE_DIR).parent_path() / "shared/data/measurements";
}

std::vector<MeasuredDrop> measured_capacity_sweep() {
    std::vector<MeasuredDrop> rows;
    std::ifstream in(measured_tables() / "capacity_cf_multi.jsonl");
    for (std::string line; std::getline(in, line);) {
        const auto row = nlohmann::json::parse(line);
        rows.push_back({row.at("num_tokens"), row.at("num_experts"), row.at("top_k"), row.at("capacity_factor"),
                        row.at("avg_drop_rate")});
    }
    return rows;
}

std::vector<MeasuredRun> measured_runs() {
    std::vector<MeasuredRun> runs;
    for (const char* name : {"unified_summary.csv", "larger_scale_summary.csv"})
        read_runs(measured_tables() / name, runs);
    return runs;
}

}  // namespace moesim::test
