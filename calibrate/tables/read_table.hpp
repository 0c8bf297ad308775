#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "calibrate/tables/measured_row.hpp"

namespace moesim {

// The largest table that is read.
inline constexpr std::size_t max_table_bytes = std::size_t{256} << 20;

// What a table of timed calls holds, told by its content: nccl-tests' text or JSON, aiconfigurator's CSV tables (nccl,
// moe, DeepEP normal and low latency, gemm), DeepEP's test logs, InferSim's and Frontier's tables of grouped products.
// Throws InputError, naming file, line and column, for what is none of them, is broken, or has no timed call.
MeasuredTable parse_table(std::string_view text, const std::string& file);
MeasuredTable read_table(const std::filesystem::path& file);

}  // namespace moesim
