#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "base/file.hpp"
#include "config/json_object.hpp"
#include "config/json_text.hpp"
#include "config/reference.hpp"
#include "config/scenario_json.hpp"
#include "config/scenario_library.hpp"
#include "config/scenario_limits.hpp"

namespace moesim {
namespace {

constexpr std::int64_t max_width = 1 << 20;         // hidden and inner sizes
constexpr std::int64_t max_tokens = 1'000'000'000;  // of a batch
constexpr std::int64_t max_top_k = 64;

template <class T>
T default_if_absent(const JsonValue& v, T otherwise, T (*read)(const JsonValue&)) {
    return v.present() ? read(v) : otherwise;
}
std::int64_t width(const JsonValue& v) { return v.integer(1, max_width); }
bool flag(const JsonValue& v) { return v.boolean(); }
Dtype dtype(const JsonValue& v) { return static_cast<Dtype>(v.choice({"bf16", "fp8"})); }

void must_divide(const JsonValue& v, std::int64_t value, std::int64_t by, const std::string& what) {
    if (value % by != 0) v.fail(fmt::format("a multiple of {} ({})", by, what));
}

AttentionSpec parse_attention(const JsonValue& value) {
    const JsonObject o(value, {"heads", "kv_heads", "head_dim", "causal"});
    AttentionSpec a;
    a.heads = o["heads"].integer(1, 4096);
    a.kv_heads = o["kv_heads"].present() ? o["kv_heads"].integer(1, a.heads, "heads") : a.heads;
    must_divide(o["heads"], a.heads, a.kv_heads, "kv_heads");
    a.head_dim = o["head_dim"].integer(1, 4096);
    a.causal = default_if_absent(o["causal"], true, flag);
    return a;
}

// A pair of keys that go together: how many, and how wide. Neither is allowed without the other.
void parse_counted(const JsonObject& o, const char* count_key, const char* width_key, std::int64_t& count,
                   std::int64_t& inner) {
    const JsonValue n = o[count_key], w = o[width_key];
    count = n.present() ? n.integer(0, 1024) : 0;
    if (count == 0 && w.present()) w.fail(fmt::format("nothing, since {} is 0", count_key));
    if (count > 0) inner = width(w);
}

// The name of a kernel that the profile has for the data type, or "roofline".
std::string expert_kernel(const JsonValue& v, Dtype dtype, const Profile& profile) {
    std::vector<std::string_view> names = {roofline_kernel};
    for (const ExpertKernel& k : profile.experts.kernels)
        if (k.dtype == dtype) names.emplace_back(k.name);
    return std::string(names[v.choice(names)]);
}

ModelSpec parse_model(const JsonValue& value, const Profile& profile) {
    const JsonObject o(value,
                       {"hidden", "dtype", "moe_layers", "experts", "top_k", "expert_ffn", "gated", "shared_experts",
                        "shared_ffn", "dense_layers_per_moe_layer", "dense_ffn", "attention", "expert_kernel"});
    ModelSpec m;
    m.hidden = width(o["hidden"]);
    m.dtype = default_if_absent(o["dtype"], Dtype::bf16, dtype);
    if (!profile.peak(m.dtype))
        o["dtype"].fail_with(fmt::format("\"{}\"", name(m.dtype)),
                             fmt::format("a data type that profile \"{}\" has a peak rate for", profile.name));
    m.moe_layers = o["moe_layers"].integer(1, 1000);
    m.experts = o["experts"].integer(1, 16384);
    m.top_k = m.experts <= max_top_k ? o["top_k"].integer(1, m.experts, "experts") : o["top_k"].integer(1, max_top_k);
    m.expert_ffn = width(o["expert_ffn"]);
    m.gated = default_if_absent(o["gated"], true, flag);
    parse_counted(o, "shared_experts", "shared_ffn", m.shared_experts, m.shared_ffn);
    parse_counted(o, "dense_layers_per_moe_layer", "dense_ffn", m.dense_layers_per_moe_layer, m.dense_ffn);
    if (o["attention"].present() && !o["attention"].json->is_null()) m.attention = parse_attention(o["attention"]);
    if (o["expert_kernel"].present()) m.expert_kernel = expert_kernel(o["expert_kernel"], m.dtype, profile);
    return m;
}

BatchSpec parse_batch(const JsonValue& value, const ParallelismSpec& p) {
    const JsonObject o(
        value, {"sequences", "tokens_per_sequence", "first_token", "context", "source_weights", "source_spread"});
    BatchSpec b;
    b.sequences = o["sequences"].integer(1, max_tokens);
    b.tokens_per_sequence = o["tokens_per_sequence"].integer(
        1, max_tokens / b.sequences, fmt::format("a batch holds at most {} tokens", max_tokens));
    if (o["first_token"].present()) b.first_token = o["first_token"].integer(0, max_tokens);
    if (o["context"].present()) b.context = o["context"].integer(0, max_tokens);
    const auto sources = static_cast<std::size_t>(p.data);
    if (o["source_weights"].present())
        for (const JsonValue& v : o["source_weights"].elements(sources, sources))
            b.source_weights.push_back(v.number(1e-6, 1e6));
    if (o["source_spread"].present()) b.source_spread = o["source_spread"].number(0, 5);
    return b;
}

ParallelismSpec parse_parallelism(const JsonValue& value, const TopologySpec& topology, const ModelSpec& model) {
    const JsonObject o(value, {"data", "expert", "tensor", "sequence", "all_reduce"});
    ParallelismSpec p;
    p.tensor = o["tensor"].present() ? o["tensor"].integer(1, topology.gpus_per_node, "the GPUs of a node") : 1;
    if (topology.gpus_per_node % p.tensor != 0)
        o["tensor"].fail(fmt::format("a divisor of the {} GPUs of a node", topology.gpus_per_node));
    if (o["all_reduce"].present()) {
        if (p.tensor == 1) o["all_reduce"].fail("nothing, since without tensor parallelism nothing is summed up");
        p.all_reduce = static_cast<AllReduce>(o["all_reduce"].choice({"ring", "tree"}));
    }
    p.data = o["data"].integer(1, topology.gpus(), fmt::format("the GPUs of topology \"{}\"", topology.name));
    if (p.ranks() != topology.gpus())
        value.fail_with(fmt::format("data {} x tensor {} = {} ranks", p.data, p.tensor, p.ranks()),
                        fmt::format("{}, the GPUs of topology \"{}\"", topology.gpus(), topology.name));
    p.expert = o["expert"].integer(1, p.data, "data");
    if (p.data % p.expert != 0) o["expert"].fail(fmt::format("a divisor of data ({})", p.data));
    if (o["sequence"].present()) {
        p.sequence = o["sequence"].integer(1, p.data, "data");
        if (p.data % p.sequence != 0) o["sequence"].fail(fmt::format("a divisor of data ({})", p.data));
        if (p.sequence > 1 && !model.attention)
            o["sequence"].fail("1, since without the model's attention nothing is passed around");
    }
    const std::pair<const char*, std::int64_t> sharded[] = {{"expert_ffn", model.expert_ffn},
                                                            {"shared_ffn", model.shared_ffn},
                                                            {"dense_ffn", model.dense_ffn},
                                                            {"heads", model.attention ? model.attention->heads : 0}};
    for (const auto& [key, size] : sharded)
        if (size % p.tensor != 0) o["tensor"].fail(fmt::format("a divisor of the model's {} ({})", key, size));
    return p;
}

ScheduleSpec parse_schedule(const JsonValue& value) {
    if (!value.present()) return {};
    const JsonObject o(value, {"micro_batches", "chunks", "order"});
    ScheduleSpec s;
    if (o["micro_batches"].present()) s.micro_batches = o["micro_batches"].integer(1, 1024);
    if (o["chunks"].present()) s.chunks = o["chunks"].integer(1, 256);
    if (o["order"].present()) s.order = static_cast<Order>(o["order"].choice({"sequential", "interleaved"}));
    return s;
}

std::vector<StragglerSpec> parse_stragglers(const JsonValue& value, const ParallelismSpec& p) {
    std::vector<StragglerSpec> all;
    if (!value.present()) return all;
    for (const JsonValue& element : value.elements(0, 65536)) {
        const JsonObject o(element, {"rank", "speed", "from", "until"});
        StragglerSpec s;
        s.rank = RankId(static_cast<std::size_t>(o["rank"].integer(0, p.ranks() - 1, "the ranks")));
        s.speed = o["speed"].number(1e-3, 1);
        if (o["from"].present()) s.from = Seconds(o["from"].quantity(Dimension::time, 0, 1e6));
        if (o["until"].present()) {
            s.until = Seconds(o["until"].quantity(Dimension::time, 0, 1e6));
            if (*s.until <= s.from) o["until"].fail("a time after \"from\"");
        }
        for (const StragglerSpec& other : all) {
            const bool apart =
                other.rank != s.rank || (other.until && *other.until <= s.from) || (s.until && *s.until <= other.from);
            if (!apart)
                element.fail_with(fmt::format("a second slowdown of rank {}", s.rank.value()),
                                  "slowdowns of one rank that do not overlap in time");
        }
        all.push_back(s);
    }
    return all;
}

// A computation on shared cores keeps the speed that its rank had at the beginning, for the simulation to share them
// out.
void check_stragglers_on_shared_cores(const JsonValue& value, const Scenario& s) {
    std::set<RankId> sharing;
    for (const SharedCoresSpec& shared : s.shared_cores) sharing.insert(shared.ranks.begin(), shared.ranks.end());
    for (std::size_t i = 0; i < s.stragglers.size(); ++i) {
        const StragglerSpec& slow = s.stragglers[i];
        if (slow.passes() && sharing.count(slow.rank) != 0)
            value.element(i).fail_with(
                fmt::format("a slowdown for a while of rank {}, which shares cores", slow.rank.value()),
                "one from the start to the end, or a rank without shared_cores");
    }
}

}  // namespace

Scenario parse_scenario(const nlohmann::json& json, const std::string& file, const ResolveFile& resolve) {
    JsonValue root{&json, file, "$"};
    if (json.is_object() && json.contains("schema") &&
        (json["schema"] == "moesim.result/1" || json["schema"] == "moesim.run/1"))
        root = {json.contains("scenario") ? &json["scenario"] : nullptr, file, "$.scenario"};
    const JsonObject o(
        root, "moesim.scenario/1",
        {"schema", "name", "description", "source", "seed", "topology", "profile", "model", "batch", "parallelism",
         "routing", "placement", "dispatch", "schedule", "network", "stragglers", "shared_cores"});
    Scenario s;
    s.name = o["name"].line();
    if (o["description"].present()) s.description = o["description"].text();
    if (o["source"].present()) s.source = o["source"].text();
    if (o["seed"].present()) s.seed = static_cast<std::uint64_t>(o["seed"].integer(0, INT64_MAX));
    s.topology = embedded_or_named(o["topology"], resolve, parse_topology);
    s.profile = embedded_or_named(o["profile"], resolve, parse_profile);
    if (s.topology.has_pcie() && !s.profile.pcie)
        o["profile"].fail_with("profile \"" + s.profile.name + "\" without links.pcie",
                               "one with it, since topology \"" + s.topology.name + "\" has PCIe links");
    s.model = parse_model(o["model"], s.profile);
    s.parallelism = parse_parallelism(o["parallelism"], s.topology, s.model);
    s.batch = parse_batch(o["batch"], s.parallelism);
    s.routing = parse_routing(o["routing"], s.model, s.parallelism, resolve);
    s.placement = parse_placement_spec(o["placement"], s.model, s.parallelism, resolve);
    if (!s.placement.document && s.model.experts % s.parallelism.expert != 0)
        o["parallelism"].member("expert").fail(fmt::format("a divisor of the {} experts", s.model.experts));
    s.dispatch =
        parse_dispatch(o["dispatch"], s.profile.max_flows ? s.profile.max_flows->value : DispatchSpec::default_window);
    if (s.dispatch.algorithm == Algorithm::context_coherent && s.model.attention && s.batch.tokens_per_sequence > 1)
        o["batch"].fail_with(fmt::format("tokens_per_sequence {}", s.batch.tokens_per_sequence),
                             "1, since with the algorithm \"context_coherent\" tokens of one sequence are on several "
                             "GPUs and cannot attend to each other");
    if (s.batch.tokens_per_sequence < s.parallelism.sequence)
        o["batch"].fail_with(fmt::format("tokens_per_sequence {}", s.batch.tokens_per_sequence),
                             fmt::format("at least {}, a token for each rank that shares a sequence "
                                         "(parallelism.sequence; for prompts, not for decoding)",
                                         s.parallelism.sequence));
    s.schedule = parse_schedule(o["schedule"]);
    if (o["network"].present()) s.network = parse_network(o["network"], s.profile);
    check_library(o, s);
    s.stragglers = parse_stragglers(o["stragglers"], s.parallelism);
    s.shared_cores = parse_shared_cores(o["shared_cores"], s.parallelism.ranks());
    check_stragglers_on_shared_cores(o["stragglers"], s);
    if (const auto excess = excess_of(s)) o[excess->key].fail_with(excess->found, excess->expected);
    return s;
}

Scenario load_scenario(const std::filesystem::path& path) {
    const std::string text = read_file(path, max_json_bytes);
    const auto resolve = [&](const std::string& reference) {
        const auto file = (path.parent_path() / reference).lexically_normal();
        return NamedDocument{file.string(), read_file(file, max_json_bytes)};
    };
    return parse_scenario(parse_json(text, path.string()), path.string(), resolve);
}

}  // namespace moesim
