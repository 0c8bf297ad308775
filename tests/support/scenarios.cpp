#include "support/scenarios.hpp"

namespace moesim::test {

Profile ideal_profile() {
    const auto one = [](auto v) { return Sourced<decltype(v)>{v, "test"}; };
    Profile p;
    p.name = p.device = "ideal";
    p.memory_capacity = one(Bytes(1'000'000'000'000));
    p.memory_reserved = one(Bytes(0));
    p.memory_bandwidth = one(BytesPerSecond(1e12));
    p.memory_efficiency = one(1.0);
    p.launch = one(Seconds(0));
    p.peak_bf16 = p.peak_fp8 = one(FlopsPerSecond(1e12));
    p.multiprocessors = one(std::int64_t{1});
    p.dense = p.grouped = {one(1.0), one(std::int64_t{1}), one(std::int64_t{1}), std::nullopt};
    p.attention_efficiency = one(1.0);
    p.nvlink = p.nic = {one(1.0), one(Bytes(0)), one(Seconds(0))};
    return p;
}

TopologySpec one_switch(std::int64_t gpus) {
    TopologySpec t;
    t.name = "one-switch";
    t.source = "test";
    t.gpus_per_node = gpus;
    t.nvlink = {BytesPerSecond(1e9), Seconds(0)};
    return t;
}

TopologySpec small_tree(std::int64_t nodes, std::int64_t gpus, double oversubscription) {
    TopologySpec t = one_switch(gpus);
    t.name = "small-tree";
    t.kind = TopologyKind::fat_tree;
    t.nodes = nodes;
    t.nic = {BytesPerSecond(1e8), Seconds(0)};
    t.oversubscription = oversubscription;
    t.uplink = {t.nic.bandwidth * (static_cast<double>(gpus) / oversubscription), Seconds(0)};
    return t;
}

Scenario tiny(std::int64_t gpus, std::int64_t tokens) {
    Scenario s;
    s.name = "tiny";
    s.topology = one_switch(gpus);
    s.profile = ideal_profile();
    s.model.hidden = 64;
    s.model.moe_layers = 1;
    s.model.experts = gpus;
    s.model.top_k = 1;
    s.model.expert_ffn = 64;
    s.batch.sequences = 1;
    s.batch.tokens_per_sequence = tokens;
    s.parallelism = {gpus, gpus, 1};
    s.routing.policy = Policy::uniform;
    return s;
}

}  // namespace moesim::test
