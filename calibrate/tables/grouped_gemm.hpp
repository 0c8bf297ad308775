#pragma once
// Tables of grouped products of matrices. Each throws InputError with line and column.
#include <vector>

#include "calibrate/tables/csv.hpp"
#include "calibrate/tables/measured_row.hpp"

namespace moesim {

// InferSim's (alibaba/InferSim): fp8 products of a gated expert's two matrices with tokens_per_expert rows for each of
// num_local_experts; up_proj_us and down_proj_us. The device is not stated in the table.
std::vector<MeasuredRow> read_infersim_table(CsvReader csv);
// Frontier's (NetX-lab/Frontier) with times of the up and down projection in ms, bf16; experts are chosen evenly:
// num_tokens router_topk / num_experts rows for each.
std::vector<MeasuredRow> read_frontier_table(CsvReader csv);

}  // namespace moesim
