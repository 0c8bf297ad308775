#include "config/dispatch_spec.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace moesim {
namespace {

constexpr std::array<std::string_view, 3> dedup_names = {"none", "rank", "node"};

Dtype dtype(const JsonValue& v) { return v.present() ? static_cast<Dtype>(v.choice({"bf16", "fp8"})) : Dtype::bf16; }

// What an algorithm does with copies of a token, and why nothing else.
void parse_dedup(const JsonValue& v, DispatchSpec& d) {
    const auto fixed = [&](Dedup only, std::string_view why) {
        d.dedup = only;
        if (v.present() && static_cast<Dedup>(v.choice(dedup_names)) != only)
            v.fail(fmt::format("\"{}\" or nothing, since the algorithm \"{}\" {}",
                               dedup_names[static_cast<std::size_t>(only)], name(d.algorithm), why));
    };
    switch (d.algorithm) {
        case Algorithm::rail: return fixed(Dedup::node, "sends one copy to a node");
        case Algorithm::low_latency: return fixed(Dedup::none, "sends a message for each choice");
        case Algorithm::chosen:
            if (v.present()) v.fail("nothing, since the algorithm \"auto\" settles it");
            return;
        default: break;
    }
    if (v.present()) d.dedup = static_cast<Dedup>(v.choice(dedup_names));
    if (d.dedup == Dedup::node && d.algorithm != Algorithm::direct)
        v.fail(fmt::format(
            "\"none\" or \"rank\", since the algorithm \"{}\" forwards no copies (\"rail\" and \"direct\" do)",
            name(d.algorithm)));
}

}  // namespace

DispatchSpec parse_dispatch(const JsonValue& value, std::int64_t window) {
    DispatchSpec d;
    d.window = window;
    if (!value.present()) return d;
    const JsonObject o(value, {"dtype", "return_dtype", "dedup", "algorithm", "window"});
    d.dtype = dtype(o["dtype"]);
    d.return_dtype = dtype(o["return_dtype"]);
    if (o["algorithm"].present()) d.algorithm = static_cast<Algorithm>(o["algorithm"].choice(algorithm_names));
    parse_dedup(o["dedup"], d);
    if (o["window"].present()) {
        if (!has_window(d.algorithm))
            o["window"].fail("nothing, since only the algorithms \"pairwise\" and \"hierarchical\" have a window");
        d.window = o["window"].integer(1, 65536);
    }
    return d;
}

nlohmann::ordered_json to_json(const DispatchSpec& d) {
    nlohmann::ordered_json j = {{"dtype", name(d.dtype)}, {"return_dtype", name(d.return_dtype)}};
    if (d.algorithm != Algorithm::chosen) j["dedup"] = dedup_names[static_cast<std::size_t>(d.dedup)];
    j["algorithm"] = name(d.algorithm);
    if (has_window(d.algorithm)) j["window"] = d.window;
    return j;
}

}  // namespace moesim
