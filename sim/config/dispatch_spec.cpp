#include "config/dispatch_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
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

// Algorithms that the library has, and what it does with copies and number formats.
void parse_library(const JsonObject& o, DispatchSpec& d) {
    if (o["library"].present()) d.library = static_cast<Library>(1 + o["library"].choice(library_names));
    const auto has = [&](std::initializer_list<Algorithm> known) {
        return std::find(known.begin(), known.end(), d.algorithm) != known.end();
    };
    const std::string algorithm = fmt::format("\"{}\"", name(d.algorithm));
    const std::string dedup = fmt::format("\"{}\"", dedup_names[static_cast<std::size_t>(d.dedup)]);
    if (d.library == Library::nccl) {
        if (!has({Algorithm::direct, Algorithm::pairwise, Algorithm::hierarchical}))
            o["algorithm"].fail_with(algorithm,
                                     "\"direct\", \"pairwise\" or \"hierarchical\", since the library is \"nccl\"");
        if (d.dedup == Dedup::node)
            o["dedup"].fail_with(dedup, "\"none\" or \"rank\", since the library \"nccl\" forwards no copies");
    }
    if (d.library == Library::deepep) {
        if (!has({Algorithm::direct, Algorithm::rail, Algorithm::low_latency}))
            o["algorithm"].fail_with(algorithm,
                                     "\"direct\", \"rail\" or \"low_latency\", since the library is \"deepep\"");
        if (d.algorithm == Algorithm::direct && d.dedup == Dedup::none)
            o["dedup"].fail_with(dedup,
                                 "\"rank\" or \"node\", since only the algorithm \"low_latency\" of the library "
                                 "\"deepep\" sends a copy for each choice");
        if (d.return_dtype == Dtype::fp8)
            o["return_dtype"].fail_with("\"fp8\"", "\"bf16\", since the library \"deepep\" sums up in that");
    }
    if (!o["multiprocessors"].present()) return;
    if (!d.deepep_normal())
        o["multiprocessors"].fail("nothing, since only the normal kernels of the library \"deepep\" are given some");
    d.multiprocessors = o["multiprocessors"].integer(2, 1024);
    if (d.multiprocessors % 2 != 0) o["multiprocessors"].fail("an even number, two for each channel");
}

}  // namespace

DispatchSpec parse_dispatch(const JsonValue& value, std::int64_t window) {
    DispatchSpec d;
    d.window = window;
    if (!value.present()) return d;
    const JsonObject o(value, {"dtype", "return_dtype", "dedup", "algorithm", "window", "library", "multiprocessors"});
    d.dtype = dtype(o["dtype"]);
    d.return_dtype = dtype(o["return_dtype"]);
    if (o["algorithm"].present()) d.algorithm = static_cast<Algorithm>(o["algorithm"].choice(algorithm_names));
    parse_dedup(o["dedup"], d);
    if (o["window"].present()) {
        if (!has_window(d.algorithm))
            o["window"].fail("nothing, since only the algorithms \"pairwise\" and \"hierarchical\" have a window");
        d.window = o["window"].integer(1, 65536);
    }
    parse_library(o, d);
    return d;
}

nlohmann::ordered_json to_json(const DispatchSpec& d) {
    nlohmann::ordered_json j = {{"dtype", name(d.dtype)}, {"return_dtype", name(d.return_dtype)}};
    if (d.algorithm != Algorithm::chosen) j["dedup"] = dedup_names[static_cast<std::size_t>(d.dedup)];
    j["algorithm"] = name(d.algorithm);
    if (has_window(d.algorithm)) j["window"] = d.window;
    if (d.library != Library::none) j["library"] = library_names[static_cast<std::size_t>(d.library) - 1];
    if (d.deepep_normal()) j["multiprocessors"] = d.multiprocessors;
    return j;
}

}  // namespace moesim
