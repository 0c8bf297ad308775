#include "config/routing_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "config/json_object.hpp"
#include "config/scenario.hpp"

namespace moesim {
namespace {

constexpr double max_share = 0.999;  // what is left has to be something

constexpr double min_share = 1e-6;

double share_of(const JsonValue& v) { return v.number(min_share, max_share); }

std::vector<double> parse_weights_row(const JsonValue& row, const ModelSpec& model, std::int64_t silent) {
    const auto count = static_cast<std::size_t>(model.experts);
    std::vector<double> weights;
    std::int64_t positive = 0;
    for (const JsonValue& v : row.elements(count, count)) {
        // What is far below the others would vanish in their sum, and an expert that counts as possible would not be.
        weights.push_back(v.number(0, 1e12));
        if (weights.back() > 0 && weights.back() < 1e-12) v.fail("0, or a number from 1e-12 to 1e12");
        positive += weights.back() > 0 ? 1 : 0;
    }
    if (positive < model.top_k + silent)
        row.fail_with(fmt::format("{} weights above 0", positive),
                      silent > 0 ? fmt::format("at least top_k + silent_experts ({})", model.top_k + silent)
                                 : fmt::format("at least top_k ({})", model.top_k));
    return weights;
}

WeightsSpec parse_weights(const JsonValue& value, const ModelSpec& model, std::int64_t silent) {
    WeightsSpec w;
    if (!value.json->is_array() || value.json->empty() || !value.json->front().is_array()) {
        w.weights.push_back(parse_weights_row(value, model, silent));
        return w;
    }
    const auto layers = static_cast<std::size_t>(model.moe_layers);
    for (const JsonValue& row : value.elements(layers, layers))
        w.weights.push_back(parse_weights_row(row, model, silent));
    return w;
}

HotExpertsSpec parse_hot_experts(const JsonValue& value, const ModelSpec& model) {
    const JsonObject o(value, {"count", "share", "move_every"});
    HotExpertsSpec h;
    h.count = o["count"].integer(1, model.experts, "experts");
    h.share = share_of(o["share"]);
    if (o["move_every"].present()) h.move_every = o["move_every"].integer(0, 1'000'000);
    return h;
}

HotRankSpec parse_hot_rank(const JsonValue& value, const ParallelismSpec& p) {
    const JsonObject o(value, {"position", "share"});
    HotRankSpec h;
    h.position = o["position"].integer(0, p.expert - 1, "positions of an expert group");
    h.share = share_of(o["share"]);
    return h;
}

BurstSpec parse_bursts(const JsonValue& value, const ModelSpec& model) {
    const JsonObject o(value, {"tokens", "probability", "count", "share"});
    BurstSpec b;
    b.tokens = o["tokens"].integer(1, 1'000'000);
    b.probability = o["probability"].number(0, 1);
    b.count = o["count"].integer(1, model.experts, "experts");
    b.share = share_of(o["share"]);
    return b;
}

PowerLawSpec parse_power_law(const JsonValue& value) {
    const JsonObject o(value, {"exponent", "low", "high"});
    PowerLawSpec p;
    p.exponent = o["exponent"].number(-1e3, 1e3);
    // With an exponent of 1 or more there is no such density down to 0.
    p.low = p.exponent < 1 && !o["low"].present() ? 0 : o["low"].number(p.exponent < 1 ? 0 : 1e-6, 1e6);
    p.high = o["high"].present() ? o["high"].number(1e-6, 1e6) : 1;
    if (p.high <= p.low) (o["high"].present() ? o["high"] : o["low"]).fail("low below high");
    return p;
}

PopularitySpec parse_popularity(const JsonValue& value, const ModelSpec& model, const ParallelismSpec& parallelism) {
    PopularitySpec p;
    if (!value.present()) return p;
    constexpr std::array<const char*, 5> bases = {"zipf", "dirichlet", "power_law", "log_normal", "weights"};
    const JsonObject o(value, {"zipf", "dirichlet", "power_law", "log_normal", "weights", "silent_experts",
                               "hot_experts", "hot_rank", "bursts", "source_spread", "drift"});
    const char* base = nullptr;
    for (const char* key : bases) {
        if (!o[key].present()) continue;
        if (base != nullptr)
            value.fail_with(fmt::format("both \"{}\" and \"{}\"", base, key),
                            "at most one of \"zipf\", \"dirichlet\", \"power_law\", \"log_normal\" and \"weights\"");
        base = key;
    }
    if (o["silent_experts"].present())
        p.silent_experts = o["silent_experts"].integer(0, model.experts - model.top_k, "experts less top_k");
    if (o["zipf"].present()) p.base = ZipfSpec{o["zipf"].number(0, 10)};
    if (o["dirichlet"].present()) p.base = DirichletSpec{o["dirichlet"].number(1e-2, 1e6)};
    if (o["power_law"].present()) p.base = parse_power_law(o["power_law"]);
    if (o["log_normal"].present()) p.base = LogNormalSpec{o["log_normal"].number(0, 5)};
    if (o["weights"].present()) p.base = parse_weights(o["weights"], model, p.silent_experts);
    if (o["hot_experts"].present()) p.hot_experts = parse_hot_experts(o["hot_experts"], model);
    if (o["hot_rank"].present()) p.hot_rank = parse_hot_rank(o["hot_rank"], parallelism);
    if (o["bursts"].present()) p.bursts = parse_bursts(o["bursts"], model);
    if (o["source_spread"].present()) p.source_spread = o["source_spread"].number(0, 5);
    if (o["drift"].present()) p.drift = o["drift"].number(0, 5);
    return p;
}

std::shared_ptr<const WorkloadModel> parse_model(const JsonValue& value, const ModelSpec& model,
                                                 const ResolveFile& resolve) {
    const auto parse = [](const auto& json, const std::string& file, const std::string& path) {
        return parse_workload_model(json, file, path);
    };
    auto w = std::make_shared<const WorkloadModel>(embedded_or_named(value, resolve, parse));
    const auto whole = [](std::size_t n) { return static_cast<std::int64_t>(n); };
    if (whole(w->experts) != model.experts || whole(w->top_k) != model.top_k ||
        whole(w->layers.size()) < model.moe_layers)
        value.fail_with(
            fmt::format("a model of {} layers, top-{} of {} experts", w->layers.size(), w->top_k, w->experts),
            fmt::format("at least {} layers, top-{} of {} experts", model.moe_layers, model.top_k, model.experts));
    return w;
}

GroupSpec parse_groups(const JsonValue& value, const ModelSpec& model, bool tiers) {
    const JsonObject o = tiers ? JsonObject(value, {"tiers", "chosen_tiers", "count", "chosen", "score"})
                               : JsonObject(value, {"count", "chosen", "score"});
    GroupSpec g;
    if (tiers) {
        g.tiers = o["tiers"].integer(1, model.experts, "experts");
        g.chosen_tiers = o["chosen_tiers"].integer(1, g.tiers, "tiers");
    }
    g.groups = o["count"].integer(1, model.experts, "experts");
    if (model.experts % g.groups != 0) o["count"].fail(fmt::format("a divisor of the {} experts", model.experts));
    if (g.groups % g.tiers != 0) o["count"].fail(fmt::format("a multiple of {} (tiers)", g.tiers));
    g.chosen_groups =
        o["chosen"].integer(1, g.groups / g.tiers * g.chosen_tiers, tiers ? "groups of the chosen tiers" : "count");
    if (g.chosen_groups * (model.experts / g.groups) < model.top_k)
        o["chosen"].fail_with(fmt::format("{} groups of {} experts", g.chosen_groups, model.experts / g.groups),
                              fmt::format("at least top_k ({}) experts in them", model.top_k));
    if (o["score"].present()) g.score = static_cast<GroupScore>(o["score"].choice(group_score_names));
    return g;
}

BiasSpec parse_bias(const JsonValue& value) {
    BiasSpec b;
    if (!value.present()) return b;
    const JsonObject o(value, {"rate", "steps", "tokens"});
    if (o["rate"].present()) b.rate = o["rate"].number(0, 1);
    if (o["steps"].present()) b.steps = o["steps"].integer(0, 100'000);
    if (o["tokens"].present()) b.tokens = o["tokens"].integer(1, 65536);
    return b;
}

DynamicKSpec parse_dynamic_k(const JsonValue& value, const ModelSpec& model) {
    const JsonObject o(value, {"threshold", "least", "schedule"});
    DynamicKSpec d;
    if (o["threshold"].present()) d.threshold = o["threshold"].number(0, 1);
    if (o["least"].present()) d.least = o["least"].integer(1, model.top_k, "top_k");
    if (o["schedule"].present()) d.schedule = static_cast<Schedule>(o["schedule"].choice(schedule_names));
    return d;
}

std::vector<double> parse_skipped(const JsonValue& value, const ModelSpec& model) {
    if (!value.present()) return {};
    if (!value.json->is_array()) return {value.number(0, 1)};
    std::vector<double> parts;
    const auto layers = static_cast<std::size_t>(model.moe_layers);
    for (const JsonValue& v : value.elements(layers, layers)) parts.push_back(v.number(0, 1));
    return parts;
}

std::string trace_file(const JsonValue& value) {
    const std::filesystem::path reference = value.line(4096);
    if (reference.is_absolute()) return reference.lexically_normal().string();
    return std::filesystem::absolute(std::filesystem::path(value.file).parent_path() / reference)
        .lexically_normal()
        .string();
}

// A key that only some policies look at.
void only_for(const JsonObject& o, const char* key, bool allowed, const char* whose) {
    if (!allowed && o[key].present()) o[key].fail(fmt::format("nothing, since only {}", whose));
}

void check_keys(const JsonObject& o, Policy policy) {
    for (const char* key : {"popularity", "gaussian_noise", "affinity", "step", "model"})
        only_for(o, key, has_gate(policy), "policies with a gate have logits (not hash, uniform, trace)");
    only_for(o, "overflow", ranks_experts(policy), "policies that rank a token's experts have a next choice");
    only_for(o, "bias", policy == Policy::bias_balanced, "the policy \"bias_balanced\" has a bias");
    only_for(o, "groups", policy == Policy::group_limited || policy == Policy::hierarchical,
             "the policies \"group_limited\" and \"hierarchical\" have groups");
    only_for(o, "null_experts", policy == Policy::null_experts, "the policy \"null_experts\" has null experts");
    only_for(o, "dynamic_k", policy == Policy::dynamic_k, "the policy \"dynamic_k\" has it");
    only_for(o, "recurrence", policy == Policy::recurrent, "the policy \"recurrent\" looks back");
    only_for(o, "trace", policy == Policy::trace, "the policy \"trace\" replays one");
    if (o["model"].present())
        for (const char* key : {"popularity", "gaussian_noise", "affinity", "step"})
            if (o[key].present()) o[key].fail("nothing, since \"model\" says what the gate wants");
}

void parse_policy_options(const JsonObject& o, const ModelSpec& model, RoutingSpec& r) {
    switch (r.policy) {
        case Policy::top1:
            if (model.top_k != 1)
                o["policy"].fail_with("\"top1\"",
                                      fmt::format("another policy, since the model's top_k is {}", model.top_k));
            break;
        case Policy::bias_balanced: r.bias = parse_bias(o["bias"]); break;
        case Policy::group_limited: r.groups = parse_groups(o["groups"], model, false); break;
        case Policy::hierarchical: r.groups = parse_groups(o["groups"], model, true); break;
        case Policy::null_experts: {
            const JsonObject n(o["null_experts"], {"count", "share"});
            r.nulls = {n["count"].integer(1, 16384 - model.experts, "16,384 less experts"),
                       n["share"].number(0, max_share)};
            break;
        }
        case Policy::dynamic_k: r.dynamic_k = parse_dynamic_k(o["dynamic_k"], model); break;
        case Policy::recurrent: r.recurrence = o["recurrence"].number(0, 50); break;
        case Policy::trace: r.trace = trace_file(o["trace"]); break;
        default: break;
    }
}

}  // namespace

RoutingSpec parse_routing(const JsonValue& value, const ModelSpec& model, const ParallelismSpec& parallelism,
                          const ResolveFile& resolve) {
    const JsonObject o(
        value, {"policy", "popularity", "gaussian_noise", "affinity", "step", "model", "capacity_factor", "overflow",
                "skipped", "bias", "groups", "null_experts", "dynamic_k", "recurrence", "trace"});
    RoutingSpec r;
    r.policy = static_cast<Policy>(o["policy"].choice(policy_names));
    check_keys(o, r.policy);
    r.popularity = parse_popularity(o["popularity"], model, parallelism);
    if (o["gaussian_noise"].present()) r.gaussian_noise = o["gaussian_noise"].number(0, 10);
    if (o["affinity"].present()) r.affinity = o["affinity"].number(0, 1);
    if (o["step"].present()) r.step = o["step"].integer(0, 1'000'000);
    if (o["model"].present()) r.model = parse_model(o["model"], model, resolve);
    const JsonValue capacity = o["capacity_factor"];
    if (capacity.present() && !capacity.json->is_null()) r.capacity_factor = capacity.number(1e-3, 1e6);
    if (o["overflow"].present() && !r.capacity_factor)
        o["overflow"].fail("nothing, since without a capacity_factor nothing overflows");
    if (o["overflow"].present()) r.overflow = static_cast<Overflow>(o["overflow"].choice(overflow_names));
    r.skipped = parse_skipped(o["skipped"], model);
    parse_policy_options(o, model, r);
    return r;
}

}  // namespace moesim
