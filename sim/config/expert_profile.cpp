#include "config/expert_profile.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/sourced_json.hpp"

namespace moesim {
namespace {

using Out = nlohmann::ordered_json;

constexpr std::size_t most_kernels = 64, most_tiles = 256;

ExpertTile expert_tile(const JsonValue& value) {
    const JsonObject o(
        value, {"most_tokens", "most_tokens_an_expert", "experts", "inner", "rows", "columns", "depth", "group"});
    ExpertTile t;
    if (o["most_tokens"].present()) t.most_tokens = o["most_tokens"].integer(1, 1'000'000'000);
    if (o["most_tokens_an_expert"].present()) t.most_tokens_an_expert = o["most_tokens_an_expert"].number(1e-6, 1e9);
    if (o["experts"].present()) t.experts = o["experts"].integer(1, 65536);
    if (o["inner"].present()) t.inner = o["inner"].integer(1, 1'000'000);
    t.rows = o["rows"].integer(1, 4096);
    t.columns = o["columns"].integer(1, 4096);
    t.depth = o["depth"].integer(1, 4096);
    t.group = o["group"].integer(1, 4096);
    return t;
}

Sourced<std::vector<ExpertTile>> expert_tiles(const JsonValue& value) {
    const JsonObject o(value, {"value", "source"});
    Sourced<std::vector<ExpertTile>> tiles{{}, o["source"].text()};
    const auto all = o["value"].elements(1, most_tiles);
    for (const JsonValue& element : all) {
        tiles.value.push_back(expert_tile(element));
        const bool bounded = tiles.value.back().bounded();
        const bool last = tiles.value.size() == all.size();
        if (last && bounded) element.fail("no bound on the last tile: it is for all calls that are left");
        if (!last && !bounded)
            element.fail("a bound, such as most_tokens: only the last tile is for all calls that are left");
    }
    return tiles;
}

ExpertKernel expert_kernel(const JsonValue& value) {
    const JsonObject o(
        value,
        {"name",       "dtype",       "tiles",         "launch",           "step",         "far_step",    "tile_rate",
         "row_rate",   "weight_rate", "element_rate",  "element_slowdown", "element_span", "choice_time", "cache",
         "cache_gain", "slowdown",    "slowdown_time", "work_overlap",     "overlap",      "fit"});
    ExpertKernel k;
    k.name = o["name"].line();
    if (k.name == roofline_kernel) o["name"].fail("another name, since that is what the roofline is called");
    k.dtype = static_cast<Dtype>(o["dtype"].choice({"bf16", "fp8"}));
    k.tiles = expert_tiles(o["tiles"]);
    k.launch = sourced_time(o["launch"]);
    k.step = sourced_time(o["step"]);
    k.far_step = sourced_time(o["far_step"]);
    k.tile_rate = sourced_flop_rate(o["tile_rate"]);
    k.row_rate = sourced_flop_rate(o["row_rate"]);
    k.weight_rate = sourced_bandwidth(o["weight_rate"]);
    k.element_rate = sourced_bandwidth(o["element_rate"]);
    k.element_slowdown = sourced_number(o["element_slowdown"], 0, 100);
    k.element_span = sourced_size(o["element_span"], 1);
    k.choice_time = sourced_time(o["choice_time"]);
    k.cache = sourced_size(o["cache"], 1);
    k.cache_gain = sourced_number(o["cache_gain"], 0, 1000);
    k.slowdown = sourced_number(o["slowdown"], 0, 100);
    k.slowdown_time = sourced_time(o["slowdown_time"]);
    if (k.slowdown_time.value.value() <= 0) o["slowdown_time"].member("value").fail("a time above 0");
    k.work_overlap = sourced_number(o["work_overlap"], 1, 100);
    k.overlap = sourced_number(o["overlap"], 1, 100);
    if (o["fit"].present()) k.fit = parse_fit_record(o["fit"]);
    return k;
}

Out to_json(const ExpertTile& t) {
    Out j = Out::object();
    if (t.most_tokens) j["most_tokens"] = *t.most_tokens;
    if (t.most_tokens_an_expert) j["most_tokens_an_expert"] = *t.most_tokens_an_expert;
    if (t.experts) j["experts"] = *t.experts;
    if (t.inner) j["inner"] = *t.inner;
    j["rows"] = t.rows, j["columns"] = t.columns, j["depth"] = t.depth, j["group"] = t.group;
    return j;
}

Out to_json(const ExpertKernel& k) {
    Out tiles = Out::array();
    for (const ExpertTile& t : k.tiles.value) tiles.push_back(to_json(t));
    Out j = {{"name", k.name},
             {"dtype", name(k.dtype)},
             {"tiles", {{"value", std::move(tiles)}, {"source", k.tiles.source}}},
             {"launch", to_json(k.launch)},
             {"step", to_json(k.step)},
             {"far_step", to_json(k.far_step)},
             {"tile_rate", to_json(k.tile_rate)},
             {"row_rate", to_json(k.row_rate)},
             {"weight_rate", to_json(k.weight_rate)},
             {"element_rate", to_json(k.element_rate)},
             {"element_slowdown", to_json(k.element_slowdown)},
             {"element_span", to_json(k.element_span)},
             {"choice_time", to_json(k.choice_time)},
             {"cache", to_json(k.cache)},
             {"cache_gain", to_json(k.cache_gain)},
             {"slowdown", to_json(k.slowdown)},
             {"slowdown_time", to_json(k.slowdown_time)},
             {"work_overlap", to_json(k.work_overlap)},
             {"overlap", to_json(k.overlap)}};
    if (k.fit) j["fit"] = to_json(*k.fit);
    return j;
}

// The name of a kernel of that data type.
std::string stage_kernel(const JsonValue& value, const ExpertsProfile& experts, Dtype dtype) {
    if (!value.present()) return {};
    std::string of_stage = value.line();
    const ExpertKernel* kernel = experts.find(of_stage);
    if (kernel == nullptr || kernel->dtype != dtype)
        value.fail(fmt::format("the name of one of the kernels above whose dtype is \"{}\"", name(dtype)));
    return of_stage;
}

}  // namespace

const ExpertKernel* ExpertsProfile::find(const std::string& name) const {
    const auto at = std::find_if(kernels.begin(), kernels.end(), [&](const ExpertKernel& k) { return k.name == name; });
    return at == kernels.end() ? nullptr : &*at;
}

ExpertsProfile parse_experts(const JsonValue& value) {
    ExpertsProfile e;
    if (!value.present()) return e;
    const JsonObject o(value, {"kernels", "stage"});
    for (const JsonValue& element : o["kernels"].elements(1, most_kernels)) {
        ExpertKernel kernel = expert_kernel(element);
        if (e.find(kernel.name) != nullptr) element.member("name").fail("a name that no kernel before it has");
        e.kernels.push_back(std::move(kernel));
    }
    if (o["stage"].present()) {
        const JsonObject stage(o["stage"], {"bf16", "fp8"});
        e.bf16 = stage_kernel(stage["bf16"], e, Dtype::bf16);
        e.fp8 = stage_kernel(stage["fp8"], e, Dtype::fp8);
    }
    return e;
}

nlohmann::ordered_json to_json(const ExpertsProfile& e) {
    Out kernels = Out::array(), stage = Out::object();
    for (const ExpertKernel& k : e.kernels) kernels.push_back(to_json(k));
    if (!e.bf16.empty()) stage["bf16"] = e.bf16;
    if (!e.fp8.empty()) stage["fp8"] = e.fp8;
    Out j = {{"kernels", std::move(kernels)}};
    if (!stage.empty()) j["stage"] = std::move(stage);
    return j;
}

}  // namespace moesim
