#pragma once
// A profile's models held against a table of timed calls.
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "calibrate/predict.hpp"

namespace moesim {

// The calls of one operation, data type, count of GPUs and kind of skew.
struct TableGroup {
    std::string op;     // "nccl.alltoall", "deepep.normal.dispatch", "experts.vllm", "gemm", "grouped_gemm.up"
    std::string dtype;  // empty where the calls have none
    std::int64_t gpus = 0;
    std::string skew;                            // "balanced", "power_law_1.01"; empty where calls have none
    std::vector<double> errors;                  // predicted / measured - 1 of those predicted
    std::map<std::string, std::size_t> skipped;  // how many, by reason
};

// One row of the table.
struct RowReport {
    std::size_t line = 0;
    std::string op, what;  // "experts.vllm", "hidden 7168, inner 2048, top-8 of 256, 64 tokens, EP 8, balanced"
    Seconds measured;
    Prediction prediction;
};

struct TableReport {
    std::string table, kind, profile;
    std::vector<TableGroup> groups;  // sorted by what tells them apart
    std::vector<RowReport> rows;     // in the order of the table

    [[nodiscard]] std::size_t predicted() const;
};

TableReport validate_table(const MeasuredTable& table, const Profile& profile);

// Of absolute errors; quantiles lie between the two nearest.
struct ErrorSummary {
    std::size_t n = 0;
    double median = 0, p90 = 0, max = 0, mean = 0;  // the mean is of signed errors
};
ErrorSummary summary(const std::vector<double>& errors);

// {"schema": "moesim.table-validation/1", ..., "groups": [{"op", "dtype", "gpus", "skew", "n", "median_ape", "p90_ape",
// "max_ape", "mean_error", "skipped", "skipped_because"}]}; errors are fractions, null where n is 0.
nlohmann::ordered_json to_json(const TableReport& report);
// line,operation,call,measured_s,predicted_s,error,skipped: a row each, with the reason where it is skipped.
std::string rows_csv(const TableReport& report);
// The same as lines of text, with one line for each operation over all its groups.
std::string table_text(const TableReport& report);

}  // namespace moesim
