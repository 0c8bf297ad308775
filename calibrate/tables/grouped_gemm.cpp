#include "calibrate/tables/grouped_gemm.hpp"

#include <algorithm>

namespace moesim {
namespace {

constexpr std::int64_t most = 1'000'000'000, most_width = 1 << 20, most_experts = 1 << 16;

struct Shape {
    std::int64_t groups = 0, rows = 0, hidden = 0, inner = 0;
    const char* dtype = "";
};

// The two products of gated experts: 2 inner wide over hidden, and hidden wide over inner.
void add(std::vector<MeasuredRow>& rows, const CsvReader& csv, const Shape& s, const char* up, const char* down,
         double unit) {
    for (const bool second : {false, true}) {
        MeasuredRow& r = rows.emplace_back();
        r.line = csv.line();
        r.measured = Seconds(csv.positive(second ? down : up) * unit);
        r.call = second ? GroupedGemmRow{"down", s.dtype, s.groups, s.rows, s.hidden, s.inner}
                        : GroupedGemmRow{"up", s.dtype, s.groups, s.rows, 2 * s.inner, s.hidden};
    }
}

}  // namespace

std::vector<MeasuredRow> read_infersim_table(CsvReader csv) {
    std::vector<MeasuredRow> rows;
    while (csv.next())
        add(rows, csv,
            {csv.whole("num_local_experts", 1, most_experts), csv.whole("tokens_per_expert", 1, most),
             csv.whole("hidden_size", 1, most_width), csv.whole("intermediate_size", 1, most_width), "fp8_block"},
            "up_proj_us", "down_proj_us", 1e-6);
    return rows;
}

std::vector<MeasuredRow> read_frontier_table(CsvReader csv) {
    const char* const up = "time_stats.moe_expert_up_proj.median";
    const char* const down = "time_stats.moe_expert_down_proj.median";
    std::vector<MeasuredRow> rows;
    while (csv.next()) {
        const std::int64_t experts = csv.whole("num_experts", 1, most_experts);
        const std::int64_t tensor = csv.whole("num_tensor_parallel_workers", 1, 1024);
        const std::int64_t inner = csv.whole("expert_hidden_dim", 1, most_width);
        if (inner % tensor != 0) csv.refuse("num_tensor_parallel_workers", "a divisor of the inner width");
        const std::int64_t choices = csv.whole("num_tokens", 1, most) * csv.whole("router_topk", 1, 64);
        add(rows, csv,
            {1, std::max<std::int64_t>(1, choices / experts), csv.whole("hidden_dim", 1, most_width), inner / tensor,
             "bfloat16"},
            up, down, 1e-3);
    }
    return rows;
}

}  // namespace moesim
