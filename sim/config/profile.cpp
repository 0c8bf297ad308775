#include "config/profile.hpp"

#include "config/sourced_json.hpp"

namespace moesim {
namespace {

MatmulProfile matmul_profile(const JsonValue& value) {
    const JsonObject o(value, {"efficiency", "tile_m", "tile_n", "split_depth"});
    MatmulProfile m{sourced_ratio(o["efficiency"]), sourced_count(o["tile_m"]), sourced_count(o["tile_n"]),
                    std::nullopt};
    if (o["split_depth"].present()) m.split_depth = sourced_count(o["split_depth"]);
    return m;
}

Sourced<std::vector<double>> quantiles(const JsonValue& value) {
    const JsonObject o(value, {"value", "source"});
    Sourced<std::vector<double>> q{{}, o["source"].text()};
    for (const JsonValue& v : o["value"].elements(2, 101)) {
        q.value.push_back(v.number(0, 1000));
        if (q.value.size() > 1 && q.value.back() < q.value[q.value.size() - 2])
            v.fail("quantiles that do not fall: at least the one before");
    }
    return q;
}

LinkProfile link_profile(const JsonValue& value) {
    const JsonObject o(value, {"efficiency", "half_size", "overhead", "gap", "jitter", "residuals"});
    LinkProfile l{sourced_number(o["efficiency"], 1e-3, max_link_efficiency), sourced_size(o["half_size"], 0),
                  sourced_time(o["overhead"])};
    if (o["gap"].present()) l.gap = sourced_time(o["gap"]);
    if (o["jitter"].present()) l.jitter = quantiles(o["jitter"]);
    if (o["residuals"].present()) l.residuals = quantiles(o["residuals"]);
    return l;
}

std::string bytes_text(Bytes b) { return readable_quantity(b.as_double(), Dimension::bytes); }

using Out = nlohmann::ordered_json;
Out to_json(const MatmulProfile& m) {
    Out j = {{"efficiency", to_json(m.efficiency)}, {"tile_m", to_json(m.tile_m)}, {"tile_n", to_json(m.tile_n)}};
    if (m.split_depth) j["split_depth"] = to_json(*m.split_depth);
    return j;
}
Out to_json(const LinkProfile& l) {
    Out j = {
        {"efficiency", to_json(l.efficiency)}, {"half_size", to_json(l.half_size)}, {"overhead", to_json(l.overhead)}};
    if (l.gap) j["gap"] = to_json(*l.gap);
    if (l.jitter) j["jitter"] = {{"value", l.jitter->value}, {"source", l.jitter->source}};
    if (l.residuals) j["residuals"] = {{"value", l.residuals->value}, {"source", l.residuals->source}};
    return j;
}

}  // namespace

Profile parse_profile(const nlohmann::json& document, const std::string& file, const std::string& path) {
    const JsonObject o({&document, file, path}, "moesim.profile/1",
                       {"schema", "name", "device", "memory", "launch", "matmul", "attention", "links", "collectives",
                        "experts", "kernels"});
    Profile p;
    p.name = o["name"].line();
    p.device = o["device"].line();
    const JsonObject memory(o["memory"], {"capacity", "reserved", "bandwidth", "efficiency"});
    p.memory_capacity = sourced_size(memory["capacity"], 1e6);
    p.memory_reserved = sourced_size(memory["reserved"], 0);
    if (p.memory_reserved.value >= p.memory_capacity.value)
        memory["reserved"].fail_with(bytes_text(p.memory_reserved.value),
                                     "less than the capacity (" + bytes_text(p.memory_capacity.value) + ")");
    p.memory_bandwidth = sourced_bandwidth(memory["bandwidth"]);
    p.memory_efficiency = sourced_ratio(memory["efficiency"]);
    p.launch = sourced_time(o["launch"]);
    const JsonObject matmul(o["matmul"], {"peak", "multiprocessors", "dense", "grouped"});
    const JsonObject peaks(matmul["peak"], {"bf16", "fp8"});
    if (peaks["bf16"].present()) p.peak_bf16 = sourced_flop_rate(peaks["bf16"]);
    if (peaks["fp8"].present()) p.peak_fp8 = sourced_flop_rate(peaks["fp8"]);
    if (!p.peak_bf16 && !p.peak_fp8) peaks.value().fail_with("no data type", "\"bf16\", \"fp8\" or both");
    p.multiprocessors = sourced_count(matmul["multiprocessors"]);
    p.dense = matmul_profile(matmul["dense"]);
    p.grouped = matmul_profile(matmul["grouped"]);
    p.attention_efficiency = sourced_ratio(JsonObject(o["attention"], {"efficiency"})["efficiency"]);
    const JsonObject links(o["links"], {"nvlink", "nic", "pcie", "max_flows"});
    p.nvlink = link_profile(links["nvlink"]);
    p.nic = link_profile(links["nic"]);
    if (links["pcie"].present()) p.pcie = link_profile(links["pcie"]);
    if (links["max_flows"].present()) p.max_flows = sourced_count(links["max_flows"]);
    p.collectives = parse_collectives(o["collectives"]);
    p.experts = parse_experts(o["experts"]);
    p.kernels = parse_kernels(o["kernels"]);
    return p;
}

std::string lacks_pcie(const Profile& profile) {
    return "profile \"" + profile.name +
           "\": $.links.pcie: found nothing, expected an object, since the topology has PCIe links";
}

nlohmann::ordered_json to_json(const Profile& p) {
    Out peaks = Out::object();
    if (p.peak_bf16) peaks["bf16"] = to_json(*p.peak_bf16);
    if (p.peak_fp8) peaks["fp8"] = to_json(*p.peak_fp8);
    Out links = {{"nvlink", to_json(p.nvlink)}, {"nic", to_json(p.nic)}};
    if (p.pcie) links["pcie"] = to_json(*p.pcie);
    if (p.max_flows) links["max_flows"] = to_json(*p.max_flows);
    Out j = {{"schema", "moesim.profile/1"},
             {"name", p.name},
             {"device", p.device},
             {"memory",
              {{"capacity", to_json(p.memory_capacity)},
               {"reserved", to_json(p.memory_reserved)},
               {"bandwidth", to_json(p.memory_bandwidth)},
               {"efficiency", to_json(p.memory_efficiency)}}},
             {"launch", to_json(p.launch)},
             {"matmul",
              {{"peak", peaks},
               {"multiprocessors", to_json(p.multiprocessors)},
               {"dense", to_json(p.dense)},
               {"grouped", to_json(p.grouped)}}},
             {"attention", {{"efficiency", to_json(p.attention_efficiency)}}},
             {"links", std::move(links)}};
    if (!p.collectives.empty()) j["collectives"] = to_json(p.collectives);
    if (!p.experts.empty()) j["experts"] = to_json(p.experts);
    if (!p.kernels.empty()) j["kernels"] = to_json(p.kernels);
    return j;
}

}  // namespace moesim
