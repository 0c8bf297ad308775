#include <nlohmann/json.hpp>

#include "config/quantity.hpp"
#include "config/scenario_json.hpp"

namespace moesim {
namespace {

using Out = nlohmann::ordered_json;

Out json(const ModelSpec& m) {
    Out j = {{"hidden", m.hidden},         {"dtype", name(m.dtype)},
             {"moe_layers", m.moe_layers}, {"experts", m.experts},
             {"top_k", m.top_k},           {"expert_ffn", m.expert_ffn},
             {"gated", m.gated},           {"shared_experts", m.shared_experts}};
    if (m.shared_experts > 0) j["shared_ffn"] = m.shared_ffn;
    j["dense_layers_per_moe_layer"] = m.dense_layers_per_moe_layer;
    if (m.dense_layers_per_moe_layer > 0) j["dense_ffn"] = m.dense_ffn;
    j["attention"] = nullptr;
    if (const auto& a = m.attention)
        j["attention"] = {
            {"heads", a->heads}, {"kv_heads", a->kv_heads}, {"head_dim", a->head_dim}, {"causal", a->causal}};
    if (!m.expert_kernel.empty()) j["expert_kernel"] = m.expert_kernel;
    return j;
}

Out json(const BatchSpec& b) {
    Out j = {{"sequences", b.sequences}, {"tokens_per_sequence", b.tokens_per_sequence}, {"context", b.context}};
    if (b.first_token > 0) j["first_token"] = b.first_token;
    if (!b.source_weights.empty()) j["source_weights"] = b.source_weights;
    if (b.source_spread > 0) j["source_spread"] = b.source_spread;
    return j;
}

Out json(const std::vector<StragglerSpec>& stragglers) {
    Out all = Out::array();
    for (const StragglerSpec& s : stragglers) {
        Out j = {
            {"rank", s.rank.value()}, {"speed", s.speed}, {"from", format_quantity(s.from.value(), Dimension::time)}};
        if (s.until) j["until"] = format_quantity(s.until->value(), Dimension::time);
        all.push_back(std::move(j));
    }
    return all;
}

}  // namespace

nlohmann::ordered_json to_json(const Scenario& s) {
    constexpr std::array<const char*, 2> orders = {"sequential", "interleaved"};
    Out j = {{"schema", "moesim.scenario/1"}, {"name", s.name}};
    if (!s.description.empty()) j["description"] = s.description;
    if (!s.source.empty()) j["source"] = s.source;
    j["seed"] = s.seed;
    j["topology"] = to_json(s.topology);
    j["profile"] = to_json(s.profile);
    j["model"] = json(s.model);
    j["batch"] = json(s.batch);
    j["parallelism"] = {
        {"data", s.parallelism.data}, {"expert", s.parallelism.expert}, {"tensor", s.parallelism.tensor}};
    if (s.parallelism.sequence > 1) j["parallelism"]["sequence"] = s.parallelism.sequence;
    if (s.parallelism.tensor > 1)
        j["parallelism"]["all_reduce"] = s.parallelism.all_reduce == AllReduce::tree ? "tree" : "ring";
    j["routing"] = to_json(s.routing);
    j["placement"] = to_json(s.placement);
    j["dispatch"] = to_json(s.dispatch);
    j["schedule"] = {{"micro_batches", s.schedule.micro_batches},
                     {"chunks", s.schedule.chunks},
                     {"order", orders[static_cast<std::size_t>(s.schedule.order)]}};
    j["network"] = to_json(s.network);
    j["stragglers"] = json(s.stragglers);
    if (!s.shared_cores.empty()) j["shared_cores"] = to_json(s.shared_cores);
    return j;
}

}  // namespace moesim
