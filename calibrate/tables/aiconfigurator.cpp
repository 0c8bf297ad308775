#include "calibrate/tables/aiconfigurator.hpp"

#include <algorithm>
#include <charconv>

namespace moesim {
namespace {

constexpr std::int64_t most = 1'000'000'000, most_width = 1 << 20, most_ranks = 1 << 16;

std::string lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

// The columns that say where and with what a table was measured, as far as it has them.
class Origin {
  public:
    explicit Origin(const CsvReader& csv) : csv_(csv) {
        for (const char* c : {"device", "system"})
            if (csv.has(c)) devices_.emplace_back(c);
        for (const char* c : {"library_version", "dataset", "version"})
            if (version_.empty() && csv.has(c)) version_ = c;
    }
    [[nodiscard]] MeasuredRow row(Seconds measured) const {
        MeasuredRow r;
        r.line = csv_.line();
        for (const std::string& c : devices_)
            if (r.device.empty()) r.device = csv_.text(c);
        if (!version_.empty()) r.version = csv_.text(version_);
        r.measured = measured;
        return r;
    }

  private:
    const CsvReader& csv_;
    std::vector<std::string> devices_;  // columns: the first that says something counts
    std::string version_;
};

ExpertLoadSpec load_spec(const CsvReader& csv) {
    const std::string& text = csv.text("distribution");
    if (text == "balanced" || text == "uniform") return {};
    constexpr std::string_view prefix = "power_law_";
    ExpertLoadSpec spec{false, 0};
    const std::string_view number = std::string_view(text).substr(std::min(text.size(), prefix.size()));
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), spec.exponent);
    const bool read = error == std::errc() && end == number.data() + number.size();
    if (text.rfind(prefix, 0) != 0 || !read || !(spec.exponent > 0 && spec.exponent <= 10) || spec.exponent == 1)
        csv.refuse("distribution", "balanced, uniform or power_law_ALPHA with ALPHA from 0 to 10, but not 1");
    return spec;
}

// 14 of "0.14.0"; a large number of what is not like that.
int minor_version(const std::string& version) {
    int minor = 1000;
    if (version.rfind("0.", 0) == 0) std::from_chars(version.data() + 2, version.data() + version.size(), minor);
    return minor;
}

std::vector<MeasuredRow> read_deepep_table(CsvReader csv, bool low_latency) {
    const Origin origin(csv);
    std::vector<MeasuredRow> rows;
    while (csv.next())
        for (const bool combine : {false, true}) {
            const char* const time = low_latency ? (combine ? "combine_avg_t_us" : "dispatch_avg_t_us")
                                                 : (combine ? "combine_transmit_us" : "dispatch_transmit_us");
            DeepEpRow d;
            d.low_latency = low_latency;
            d.call.combine = combine;
            d.call.nodes = d.call.most_nodes = csv.whole("node_num", 1, 4096);
            d.call.hidden = csv.whole("hidden_size", 1, most_width);
            d.call.tokens = csv.whole("num_token", 1, most);
            d.call.experts = csv.whole("num_experts", 1, most_ranks);
            d.call.top_k = csv.whole("num_topk", 1, std::min<std::int64_t>(64, d.call.experts));
            if (!low_latency) d.call.multiprocessors = csv.number(combine ? "combine_sms" : "dispatch_sms", 1, 1000);
            rows.push_back(origin.row(Seconds(csv.positive(time) * 1e-6)));
            rows.back().call = d;
        }
    return rows;
}

}  // namespace

std::vector<MeasuredRow> read_nccl_table(CsvReader csv) {
    const Origin origin(csv);
    const std::string op = csv.first_of({"op", "op_name"}), bytes = csv.first_of({"bytes", "message_size"}),
                      time = csv.first_of({"latency_us", "latency"}), dtype = csv.first_of({"dtype", "nccl_dtype"});
    std::vector<MeasuredRow> rows;
    while (csv.next()) {
        rows.push_back(origin.row(Seconds(csv.positive(time) * 1e-6)));
        rows.back().call = NcclRow{csv.text(op), csv.text(dtype), csv.whole("num_gpus", 1, most_ranks),
                                   Bytes(csv.whole(bytes, 1, std::int64_t{1} << 50))};
    }
    return rows;
}

std::vector<MeasuredRow> read_moe_table(CsvReader csv) {
    const Origin origin(csv);
    const std::string tokens = csv.first_of({"num_tokens_global", "num_tokens"}),
                      hidden = csv.first_of({"hidden", "hidden_size"}), inner = csv.first_of({"inter", "inter_size"}),
                      tensor = csv.first_of({"moe_tp", "moe_tp_size"}), ranks = csv.first_of({"moe_ep", "moe_ep_size"}),
                      time = csv.first_of({"latency_ms", "latency"});
    std::vector<MeasuredRow> rows;
    while (csv.next()) {
        ExpertRow e;
        e.op = csv.has("op_name") ? csv.text("op_name") : "moe";
        e.framework = lower(csv.text("framework"));
        e.dtype = csv.text("moe_dtype");
        e.tokens = csv.whole(tokens, 1, most);
        e.hidden = csv.whole(hidden, 1, most_width);
        e.inner = csv.whole(inner, 1, most_width);
        e.experts = csv.whole("num_experts", 1, most_ranks);
        e.top_k = csv.whole("topk", 1, std::min<std::int64_t>(64, e.experts));
        e.tensor = csv.whole(tensor, 1, e.inner);
        if (e.inner % e.tensor != 0) csv.refuse(tensor, "a divisor of the inner width");
        e.ranks = csv.whole(ranks, 1, e.experts);
        if (e.experts % e.ranks != 0) csv.refuse(ranks, "a divisor of the experts");
        e.loads = load_spec(csv);
        rows.push_back(origin.row(Seconds(csv.positive(time) * 1e-3)));
        e.loads.ranks_in_turn = !(e.framework == "vllm" && minor_version(rows.back().version) <= 14);
        rows.back().call = e;
    }
    return rows;
}

std::vector<MeasuredRow> read_deepep_normal_table(CsvReader csv) { return read_deepep_table(std::move(csv), false); }
std::vector<MeasuredRow> read_deepep_low_latency_table(CsvReader csv) {
    return read_deepep_table(std::move(csv), true);
}

std::vector<MeasuredRow> read_gemm_table(CsvReader csv) {
    const Origin origin(csv);
    const std::string time = csv.first_of({"latency_ms", "latency"});
    std::vector<MeasuredRow> rows;
    while (csv.next()) {
        rows.push_back(origin.row(Seconds(csv.positive(time) * 1e-3)));
        rows.back().call = GemmRow{csv.text("gemm_dtype"), csv.whole("m", 1, most), csv.whole("n", 1, most_width),
                                   csv.whole("k", 1, most_width)};
    }
    return rows;
}

}  // namespace moesim
