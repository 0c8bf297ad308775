#include "config/profile.hpp"

#include <cmath>

#include "config/json_object.hpp"

namespace moesim {
namespace {

// {"value": ..., "source": "..."}; `read` turns the value into its type.
template <class Read>
auto sourced(const JsonValue& value, Read read) {
    const JsonObject o(value, {"value", "source"});
    auto v = read(o["value"]);
    return Sourced<decltype(v)>{v, o["source"].text()};
}

Sourced<double> ratio(const JsonValue& value) {
    return sourced(value, [](const JsonValue& v) { return v.number(1e-3, 1); });
}
Sourced<std::int64_t> count(const JsonValue& value) {
    return sourced(value, [](const JsonValue& v) { return v.integer(1, 100'000); });
}
Sourced<Seconds> time(const JsonValue& value) {
    return sourced(value, [](const JsonValue& v) { return Seconds(v.quantity(Dimension::time, 0, 1)); });
}
Sourced<Bytes> size(const JsonValue& value, double low) {
    return sourced(value,
                   [=](const JsonValue& v) { return Bytes(std::llround(v.quantity(Dimension::bytes, low, 1e15))); });
}
Sourced<BytesPerSecond> bandwidth(const JsonValue& value) {
    return sourced(value,
                   [](const JsonValue& v) { return BytesPerSecond(v.quantity(Dimension::bandwidth, 1e6, 1e15)); });
}
std::optional<Sourced<FlopsPerSecond>> peak(const JsonValue& value) {
    if (!value.present()) return std::nullopt;
    return sourced(value,
                   [](const JsonValue& v) { return FlopsPerSecond(v.quantity(Dimension::flop_rate, 1e6, 1e19)); });
}

MatmulProfile matmul_profile(const JsonValue& value) {
    const JsonObject o(value, {"efficiency", "tile_m", "tile_n", "split_depth"});
    MatmulProfile m{ratio(o["efficiency"]), count(o["tile_m"]), count(o["tile_n"]), std::nullopt};
    if (o["split_depth"].present()) m.split_depth = count(o["split_depth"]);
    return m;
}

LinkProfile link_profile(const JsonValue& value) {
    const JsonObject o(value, {"efficiency", "half_size", "overhead"});
    return {ratio(o["efficiency"]), size(o["half_size"], 0), time(o["overhead"])};
}

std::string bytes_text(Bytes b) { return readable_quantity(b.as_double(), Dimension::bytes); }

using Out = nlohmann::ordered_json;
Out with_source(Out value, const std::string& source) { return {{"value", std::move(value)}, {"source", source}}; }
Out json(const Sourced<double>& s) { return with_source(s.value, s.source); }
Out json(const Sourced<std::int64_t>& s) { return with_source(s.value, s.source); }
Out json(const Sourced<Seconds>& s) { return with_source(format_quantity(s.value.value(), Dimension::time), s.source); }
Out json(const Sourced<Bytes>& s) {
    return with_source(format_quantity(s.value.as_double(), Dimension::bytes), s.source);
}
Out json(const Sourced<BytesPerSecond>& s) {
    return with_source(format_quantity(s.value.value(), Dimension::bandwidth), s.source);
}
Out json(const Sourced<FlopsPerSecond>& s) {
    return with_source(format_quantity(s.value.value(), Dimension::flop_rate), s.source);
}
Out json(const MatmulProfile& m) {
    Out j = {{"efficiency", json(m.efficiency)}, {"tile_m", json(m.tile_m)}, {"tile_n", json(m.tile_n)}};
    if (m.split_depth) j["split_depth"] = json(*m.split_depth);
    return j;
}
Out json(const LinkProfile& l) {
    return {{"efficiency", json(l.efficiency)}, {"half_size", json(l.half_size)}, {"overhead", json(l.overhead)}};
}

}  // namespace

Profile parse_profile(const nlohmann::json& document, const std::string& file, const std::string& path) {
    const JsonObject o({&document, file, path}, "moesim.profile/1",
                       {"schema", "name", "device", "memory", "launch", "matmul", "attention", "links"});
    Profile p;
    p.name = o["name"].line();
    p.device = o["device"].line();
    const JsonObject memory(o["memory"], {"capacity", "reserved", "bandwidth", "efficiency"});
    p.memory_capacity = size(memory["capacity"], 1e6);
    p.memory_reserved = size(memory["reserved"], 0);
    if (p.memory_reserved.value >= p.memory_capacity.value)
        memory["reserved"].fail_with(bytes_text(p.memory_reserved.value),
                                     "less than the capacity (" + bytes_text(p.memory_capacity.value) + ")");
    p.memory_bandwidth = bandwidth(memory["bandwidth"]);
    p.memory_efficiency = ratio(memory["efficiency"]);
    p.launch = time(o["launch"]);
    const JsonObject matmul(o["matmul"], {"peak", "multiprocessors", "dense", "grouped"});
    const JsonObject peaks(matmul["peak"], {"bf16", "fp8"});
    p.peak_bf16 = peak(peaks["bf16"]);
    p.peak_fp8 = peak(peaks["fp8"]);
    if (!p.peak_bf16 && !p.peak_fp8) peaks.value().fail_with("no data type", "\"bf16\", \"fp8\" or both");
    p.multiprocessors = count(matmul["multiprocessors"]);
    p.dense = matmul_profile(matmul["dense"]);
    p.grouped = matmul_profile(matmul["grouped"]);
    p.attention_efficiency = ratio(JsonObject(o["attention"], {"efficiency"})["efficiency"]);
    const JsonObject links(o["links"], {"nvlink", "nic", "max_flows"});
    p.nvlink = link_profile(links["nvlink"]);
    p.nic = link_profile(links["nic"]);
    if (links["max_flows"].present()) p.max_flows = count(links["max_flows"]);
    return p;
}

nlohmann::ordered_json to_json(const Profile& p) {
    Out peaks = Out::object();
    if (p.peak_bf16) peaks["bf16"] = json(*p.peak_bf16);
    if (p.peak_fp8) peaks["fp8"] = json(*p.peak_fp8);
    Out links = {{"nvlink", json(p.nvlink)}, {"nic", json(p.nic)}};
    if (p.max_flows) links["max_flows"] = json(*p.max_flows);
    return {{"schema", "moesim.profile/1"},
            {"name", p.name},
            {"device", p.device},
            {"memory",
             {{"capacity", json(p.memory_capacity)},
              {"reserved", json(p.memory_reserved)},
              {"bandwidth", json(p.memory_bandwidth)},
              {"efficiency", json(p.memory_efficiency)}}},
            {"launch", json(p.launch)},
            {"matmul",
             {{"peak", peaks},
              {"multiprocessors", json(p.multiprocessors)},
              {"dense", json(p.dense)},
              {"grouped", json(p.grouped)}}},
            {"attention", {{"efficiency", json(p.attention_efficiency)}}},
            {"links", std::move(links)}};
}

}  // namespace moesim
