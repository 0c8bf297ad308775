#pragma once
// Tables as aiconfigurator's collectors write them (ai-dynamo/aiconfigurator, collector/), and with the names of
// columns that /measurements gives them. Each throws InputError with line and column.
#include <string>
#include <string_view>

#include "calibrate/tables/csv.hpp"
#include "calibrate/tables/measured_row.hpp"

namespace moesim {

// op(_name), num_gpus, bytes or message_size, latency in us; nccl_dtype or dtype.
std::vector<MeasuredRow> read_nccl_table(CsvReader csv);
// moe_dtype, num_tokens(_global), hidden(_size), inter(_size), topk, num_experts, moe_tp(_size), moe_ep(_size),
// distribution (balanced, uniform, power_law_ALPHA), latency(_ms) in ms.
std::vector<MeasuredRow> read_moe_table(CsvReader csv);
// A dispatch and a combine a row: node_num, hidden_size, num_token, num_topk, num_experts; normal kernels with
// dispatch_sms, dispatch_transmit_us, combine_sms, combine_transmit_us, low-latency ones with dispatch_avg_t_us,
// combine_avg_t_us.
std::vector<MeasuredRow> read_deepep_normal_table(CsvReader csv);
std::vector<MeasuredRow> read_deepep_low_latency_table(CsvReader csv);
// gemm_dtype, m, n, k, latency in ms.
std::vector<MeasuredRow> read_gemm_table(CsvReader csv);

}  // namespace moesim
