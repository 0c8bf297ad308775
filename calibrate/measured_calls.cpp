#include "calibrate/measured_calls.hpp"

#include <algorithm>
#include <fstream>
#include <map>

namespace moesim {
namespace {

using Row = std::map<std::string, std::string>;

// Cells between commas; those between quotation marks may hold commas.
std::vector<std::string> cells(const std::string& line) {
    std::vector<std::string> all(1);
    bool quoted = false;
    for (const char c : line) {
        if (c == '"')
            quoted = !quoted;
        else if (c == ',' && !quoted)
            all.emplace_back();
        else if (c != '\r')
            all.back() += c;
    }
    return all;
}

std::vector<Row> read_csv(const std::filesystem::path& file) {
    std::vector<Row> rows;
    std::ifstream in(file);
    std::string line;
    if (!std::getline(in, line)) return rows;
    const auto names = cells(line);
    while (std::getline(in, line)) {
        const auto values = cells(line);
        Row& row = rows.emplace_back();
        for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i) row[names[i]] = values[i];
    }
    return rows;
}

std::int64_t whole(const Row& row, const char* name) { return std::stoll(row.at(name)); }
Seconds micro(const Row& row, const char* name) { return Seconds(std::stod(row.at(name)) * 1e-6); }

// `times`: the columns of dispatch and combine.
std::vector<DeepEpCall> read_deepep(const std::filesystem::path& file, const char* const (&times)[2], bool sms) {
    std::vector<DeepEpCall> calls;
    for (const Row& row : read_csv(file))
        for (const bool combine : {false, true}) {
            DeepEpCall& c = calls.emplace_back();
            c.machine = row.at("system");
            c.version = row.at("dataset");
            c.combine = combine;
            c.nodes = c.most_nodes = whole(row, "node_num");
            c.hidden = whole(row, "hidden_size");
            c.tokens = whole(row, "num_token");
            c.top_k = whole(row, "num_topk");
            c.experts = whole(row, "num_experts");
            if (sms) c.multiprocessors = std::stod(row.at(combine ? "combine_sms" : "dispatch_sms"));
            c.measured = micro(row, times[combine ? 1 : 0]);
        }
    return calls;
}

std::vector<DeepEpCall> read_readme(const std::filesystem::path& measurements, const std::string& mode) {
    std::vector<DeepEpCall> calls;
    for (const Row& row : read_csv(measurements / "published/ep_alltoall.csv")) {
        if (row.at("gpu") != "H800" || row.at("mode") != mode) continue;
        for (const bool combine : {false, true}) {
            DeepEpCall& c = calls.emplace_back();
            c.machine = "h800";
            c.version = "deepep-readme";
            c.combine = combine;
            c.nodes = whole(row, "ep") / 8;
            c.most_nodes = std::min<std::int64_t>(c.nodes, mode == "normal" ? 4 : c.nodes);
            c.hidden = whole(row, "hidden");
            c.tokens = whole(row, "tokens_per_rank");
            c.top_k = whole(row, "topk");
            c.experts = row.at("experts").empty() ? 288 : whole(row, "experts");  // 288: the test's default
            c.multiprocessors = 24;  // not in the table: the default of DeepEP's tests
            if (mode == "low_latency") {
                c.measured = micro(row, combine ? "combine_us" : "dispatch_us");
                continue;
            }
            const double rows = static_cast<double>(c.tokens) * (c.nodes == 1 ? expected_gpus(c) : expected_nodes(c));
            const double row_bytes = static_cast<double>(c.hidden) * (combine ? 2.0 : 1 + 4.0 / 128);
            const double rate = std::stod(row.at(combine ? "combine_GBps" : "dispatch_GBps")) * 1e9;
            c.measured = Seconds(rows * row_bytes / rate);
        }
    }
    return calls;
}

}  // namespace

std::vector<NcclCall> read_nccl(const std::filesystem::path& measurements) {
    std::vector<NcclCall> calls;
    for (const Row& row : read_csv(measurements / "nccl.csv"))
        if (row.at("op") == "alltoall")
            calls.push_back({row.at("system"), row.at("library_version"),
                             static_cast<std::size_t>(whole(row, "num_gpus")), Bytes(whole(row, "bytes")),
                             micro(row, "latency_us")});
    return calls;
}

std::vector<DeepEpCall> read_deepep_normal(const std::filesystem::path& measurements) {
    return read_deepep(measurements / "deepep_normal.csv", {"dispatch_transmit_us", "combine_transmit_us"}, true);
}
std::vector<DeepEpCall> read_deepep_low_latency(const std::filesystem::path& measurements) {
    return read_deepep(measurements / "deepep_ll.csv", {"dispatch_avg_t_us", "combine_avg_t_us"}, false);
}
std::vector<DeepEpCall> read_readme_normal(const std::filesystem::path& measurements) {
    return read_readme(measurements, "normal");
}
std::vector<DeepEpCall> read_readme_low_latency(const std::filesystem::path& measurements) {
    return read_readme(measurements, "low_latency");
}

double expected_places(std::int64_t places, std::int64_t experts, std::int64_t top_k) {
    const double all = static_cast<double>(experts), of_place = all / static_cast<double>(places);
    double missed = 1;  // the probability that none of the choices is in a given place
    for (std::int64_t i = 0; i < top_k; ++i) {
        const double chosen = static_cast<double>(i);
        missed *= std::max(0.0, all - of_place - chosen) / (all - chosen);
    }
    return static_cast<double>(places) * (1 - missed);
}

double expected_gpus(const DeepEpCall& c) {
    return expected_places(c.most_nodes * 8, c.experts * c.most_nodes / c.nodes, c.top_k);
}
double expected_nodes(const DeepEpCall& c) {
    return expected_places(c.most_nodes, c.experts * c.most_nodes / c.nodes, c.top_k);
}

}  // namespace moesim
