#include "calibrate/tables/read_table.hpp"

#include <fmt/format.h>

#include <array>

#include "base/error.hpp"
#include "base/file.hpp"
#include "calibrate/tables/aiconfigurator.hpp"
#include "calibrate/tables/deepep_log.hpp"
#include "calibrate/tables/grouped_gemm.hpp"
#include "calibrate/tables/nccl_tests.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

struct CsvKind {
    const char* kind;
    const char* column;  // that no table of another kind has
    std::vector<MeasuredRow> (*read)(CsvReader);
};
constexpr std::array<CsvKind, 8> csv_kinds = {
    {{"DeepEP normal, CSV", "dispatch_transmit_us", read_deepep_normal_table},
     {"DeepEP low latency, CSV", "dispatch_avg_t_us", read_deepep_low_latency_table},
     {"experts, CSV", "moe_dtype", read_moe_table},
     {"gemm, CSV", "gemm_dtype", read_gemm_table},
     {"grouped products, InferSim", "up_proj_us", read_infersim_table},
     {"grouped products, Frontier", "time_stats.moe_expert_up_proj.median", read_frontier_table},
     {"nccl, CSV", "nccl_dtype", read_nccl_table},
     {"nccl, CSV", "num_gpus", read_nccl_table}}};

MeasuredTable read_csv(std::string_view text, const std::string& file) {
    CsvReader csv(text, file);
    for (const CsvKind& kind : csv_kinds)
        if (csv.has(kind.column)) return {file, kind.kind, kind.read(std::move(csv))};
    throw InputError(fmt::format(
        "{}: line 1: found `{}`, expected the columns of a table of aiconfigurator (nccl, moe, DeepEP or gemm), "
        "InferSim or Frontier, or the output of nccl-tests or of DeepEP's tests",
        file, clipped(std::string(text.substr(0, text.find('\n'))))));
}

bool has(std::string_view text, std::string_view piece) { return text.find(piece) != text.npos; }

MeasuredTable read_any(std::string_view text, const std::string& file) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == text.npos) throw InputError(file + ": found an empty file, expected a table of timed calls");
    if (text.find('\0') != text.npos) throw InputError(file + ": found a zero byte, expected text");
    if (text[begin] == '{') return {file, "nccl-tests, JSON", read_nccl_tests_json(text, file)};
    if (has(text, "[tuning] Best ") || has(text, "] Dispatch bandwidth:"))
        return {file, "DeepEP's tests, log", read_deepep_log(text, file)};
    if (has(text, "#") && has(text, "algbw") && has(text, "redop"))
        return {file, "nccl-tests, text", read_nccl_tests_text(text, file)};
    return read_csv(text, file);
}

}  // namespace

MeasuredTable parse_table(std::string_view text, const std::string& file) {
    MeasuredTable table = read_any(text, file);
    if (table.rows.empty())
        throw InputError(fmt::format("{}: found no timed call ({}), expected some", file, table.kind));
    return table;
}

MeasuredTable read_table(const std::filesystem::path& file) {
    return parse_table(read_file(file, max_table_bytes), file.string());
}

}  // namespace moesim
