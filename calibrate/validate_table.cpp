#include "calibrate/validate_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

namespace moesim {
namespace {

using Key = std::tuple<std::string, std::string, std::int64_t, std::string>;

Key key_of(const NcclRow& r) { return {"nccl." + r.op, r.dtype, r.ranks, ""}; }
Key key_of(const DeepEpRow& r) {
    return {
        fmt::format("deepep.{}.{}", r.low_latency ? "low_latency" : "normal", r.call.combine ? "combine" : "dispatch"),
        r.call.combine ? "bf16" : "fp8", r.call.ranks(), ""};
}
Key key_of(const ExpertRow& r) {
    const std::string phase = r.op == "moe_context" ? ".context" : r.op == "moe_generation" ? ".generation" : "";
    return {"experts." + r.framework + phase, r.dtype, r.ranks * r.tensor,
            r.loads.balanced ? "balanced" : fmt::format("power_law_{}", r.loads.exponent)};
}
Key key_of(const GemmRow& r) { return {"gemm", r.dtype, 1, ""}; }
Key key_of(const GroupedGemmRow& r) { return {"grouped_gemm." + r.op, r.dtype, 1, ""}; }

std::string call_of(const NcclRow& r) { return fmt::format("{} GPUs, {} B, {}", r.ranks, r.bytes.value(), r.dtype); }
std::string call_of(const DeepEpRow& r) {
    const DeepEpCall& c = r.call;
    return fmt::format("{} GPUs, hidden {}, {} tokens, top-{} of {}{}", c.ranks(), c.hidden, c.tokens, c.top_k,
                       c.experts, c.multiprocessors > 0 ? fmt::format(", {} SMs", c.multiprocessors) : "");
}
std::string call_of(const ExpertRow& r) {
    return fmt::format("{}, hidden {}, inner {}, top-{} of {}, {} tokens, EP {}, TP {}, {}", r.dtype, r.hidden, r.inner,
                       r.top_k, r.experts, r.tokens, r.ranks, r.tensor,
                       r.loads.balanced ? "balanced" : fmt::format("power_law_{}", r.loads.exponent));
}
std::string call_of(const GemmRow& r) { return fmt::format("{}, {} x {} x {}", r.dtype, r.m, r.n, r.k); }
std::string call_of(const GroupedGemmRow& r) {
    return fmt::format("{}, {} of {} x {} x {}", r.dtype, r.groups, r.m, r.n, r.k);
}

double quantile(const std::vector<double>& sorted, double part) {
    const double at = part * static_cast<double>(sorted.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, sorted.size() - 1);
    return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

std::size_t count(const std::map<std::string, std::size_t>& skipped) {
    std::size_t n = 0;
    for (const auto& [reason, rows] : skipped) n += rows;
    return n;
}

std::string percent(double part) { return fmt::format("{:.1f}%", 100 * part); }

std::string line_of(const std::string& op, const std::string& what, const ErrorSummary& s, std::size_t skipped) {
    if (s.n == 0)
        return fmt::format("{:32} {:34} {:6}  {:>7} {:>7} {:>7}  {:7}\n", op, what, 0, "-", "-", "-", skipped);
    return fmt::format("{:32} {:34} {:6}  {:>7} {:>7} {:>7}  {:7}\n", op, what, s.n, percent(s.median), percent(s.p90),
                       percent(s.max), skipped);
}

std::string what_of(const TableGroup& g) {
    std::string what = g.dtype;
    what += fmt::format("{}{} GPU{}", what.empty() ? "" : ", ", g.gpus, g.gpus == 1 ? "" : "s");
    if (!g.skew.empty()) what += ", " + g.skew;
    return what;
}

}  // namespace

std::size_t TableReport::predicted() const {
    std::size_t n = 0;
    for (const TableGroup& g : groups) n += g.errors.size();
    return n;
}

TableReport validate_table(const MeasuredTable& table, const Profile& profile) {
    TableReport report{table.file, table.kind, profile.name, {}, {}};
    std::map<Key, TableGroup> groups;
    for (const MeasuredRow& row : table.rows) {
        const Key key = std::visit([](const auto& call) { return key_of(call); }, row.call);
        TableGroup& g = groups[key];
        std::tie(g.op, g.dtype, g.gpus, g.skew) = key;
        const Prediction p = predict(profile, row);
        report.rows.push_back(
            {row.line, g.op, std::visit([](const auto& call) { return call_of(call); }, row.call), row.measured, p});
        if (p.time)
            g.errors.push_back(*p.time / row.measured - 1);
        else
            ++g.skipped[p.reason];
    }
    for (auto& [key, group] : groups) report.groups.push_back(std::move(group));
    return report;
}

ErrorSummary summary(const std::vector<double>& errors) {
    ErrorSummary s;
    s.n = errors.size();
    if (errors.empty()) return s;
    std::vector<double> sorted;
    for (const double e : errors) {
        sorted.push_back(std::abs(e));
        s.mean += e / static_cast<double>(errors.size());
    }
    std::sort(sorted.begin(), sorted.end());
    s.median = quantile(sorted, 0.5), s.p90 = quantile(sorted, 0.9), s.max = sorted.back();
    return s;
}

nlohmann::ordered_json to_json(const TableReport& report) {
    nlohmann::ordered_json groups = nlohmann::ordered_json::array();
    for (const TableGroup& g : report.groups) {
        const ErrorSummary s = summary(g.errors);
        nlohmann::ordered_json j = {{"op", g.op}, {"dtype", g.dtype}, {"gpus", g.gpus}, {"skew", g.skew}, {"n", s.n}};
        if (s.n > 0)
            j.update({{"median_ape", s.median}, {"p90_ape", s.p90}, {"max_ape", s.max}, {"mean_error", s.mean}});
        else
            for (const char* name : {"median_ape", "p90_ape", "max_ape", "mean_error"}) j[name] = nullptr;
        j["skipped"] = count(g.skipped);
        j["skipped_because"] = nlohmann::ordered_json::array();
        for (const auto& [reason, rows] : g.skipped)
            j["skipped_because"].push_back({{"reason", reason}, {"rows", rows}});
        groups.push_back(std::move(j));
    }
    return {{"schema", "moesim.table-validation/1"},
            {"table", report.table},
            {"kind", report.kind},
            {"profile", report.profile},
            {"groups", std::move(groups)}};
}

std::string rows_csv(const TableReport& report) {
    std::string text = "line,operation,call,measured_s,predicted_s,error,skipped\n";
    for (const RowReport& r : report.rows) {
        text += fmt::format("{},{},\"{}\",{},", r.line, r.op, r.what, r.measured.value());
        if (r.prediction.time)
            text += fmt::format("{},{:.5f},\n", r.prediction.time->value(), *r.prediction.time / r.measured - 1);
        else
            text += fmt::format(",,\"{}\"\n", r.prediction.reason);
    }
    return text;
}

std::string table_text(const TableReport& report) {
    std::string text = fmt::format("{} ({}) against profile {}\n\n", report.table, report.kind, report.profile);
    text += fmt::format("{:32} {:34} {:>6}  {:>7} {:>7} {:>7}  {:>7}\n", "operation", "", "n", "median", "p90", "worst",
                        "skipped");
    std::map<std::string, std::size_t> reasons;
    for (auto g = report.groups.begin(); g != report.groups.end();) {
        std::vector<double> of_op;
        std::size_t skipped = 0, lines = 0;
        const std::string op = g->op;
        for (; g != report.groups.end() && g->op == op; ++g, ++lines) {
            text += line_of(op, what_of(*g), summary(g->errors), count(g->skipped));
            of_op.insert(of_op.end(), g->errors.begin(), g->errors.end());
            skipped += count(g->skipped);
            for (const auto& [reason, rows] : g->skipped) reasons[reason] += rows;
        }
        if (lines > 1) text += line_of(op, "all", summary(of_op), skipped);
    }
    for (const auto& [reason, rows] : reasons) text += fmt::format("\nskipped {}: {}", rows, reason);
    if (!reasons.empty()) text += '\n';
    return text;
}

}  // namespace moesim
