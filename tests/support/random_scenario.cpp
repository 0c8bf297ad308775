#include "support/random_scenario.hpp"

#include "base/random.hpp"
#include "support/scenarios.hpp"

namespace moesim::test {
namespace {

template <class T>
T pick(RandomStream& random, std::initializer_list<T> values) {
    return *(values.begin() + random.below(static_cast<std::uint32_t>(values.size())));
}

bool coin(RandomStream& random) { return random.below(2) == 1; }

TopologySpec random_topology(RandomStream& random) {
    const auto gpus = pick<std::int64_t>(random, {1, 2, 4});
    TopologySpec t = coin(random)
                         ? small_tree(pick<std::int64_t>(random, {1, 2, 3, 4}), gpus, pick<double>(random, {0.5, 1, 3}))
                         : one_switch(pick<std::int64_t>(random, {2, 4, 8}));
    if (t.kind == TopologyKind::fat_tree && coin(random)) {
        t.nodes_per_leaf = 2;
        t.uplink.bandwidth = t.uplink.bandwidth * 2;
    }
    t.nvlink.latency = Seconds(1e-7 * random.below(10));
    t.nic.latency = Seconds(1e-6 * random.below(3));
    t.uplink.latency = Seconds(1e-6 * random.below(3));
    return t;
}

Profile random_profile(RandomStream& random) {
    Profile p = ideal_profile();
    p.launch.value = Seconds(1e-6 * random.below(4));
    p.nvlink.efficiency.value = 0.5 + 0.5 * random.uniform();
    p.nic.overhead.value = Seconds(1e-6 * random.below(20));
    p.nic.half_size.value = Bytes(random.below(5000));
    p.dense.tile_m.value = p.grouped.tile_m.value = pick<std::int64_t>(random, {1, 16, 128});
    p.multiprocessors.value = pick<std::int64_t>(random, {1, 8});
    return p;
}

ModelSpec random_model(RandomStream& random, const ParallelismSpec& grid) {
    ModelSpec m;
    m.hidden = pick<std::int64_t>(random, {16, 64, 100});
    m.moe_layers = 1 + random.below(3);
    m.experts = grid.expert * (1 + random.below(4));
    m.top_k = 1 + random.below(static_cast<std::uint32_t>(std::min<std::int64_t>(m.experts, 4)));
    m.expert_ffn = 64;
    m.gated = coin(random);
    if (coin(random)) m.attention = AttentionSpec{8, pick<std::int64_t>(random, {1, 2, 8}), 8, coin(random)};
    if (random.below(4) == 0) m.shared_experts = 1 + random.below(2), m.shared_ffn = 32;
    if (random.below(4) == 0) m.dense_layers_per_moe_layer = 1, m.dense_ffn = 128;
    return m;
}

std::vector<StragglerSpec> random_stragglers(RandomStream& random, std::int64_t ranks) {
    std::vector<StragglerSpec> all;
    if (coin(random)) return all;
    for (std::int64_t rank = random.below(3); rank < ranks; rank += 1 + random.below(4)) {
        StragglerSpec s;
        s.rank = RankId(static_cast<std::size_t>(rank));
        s.speed = random.below(4) == 0 ? 0.01 : 0.25 + 0.5 * random.uniform();
        s.from = Seconds(1e-5 * random.below(5));
        if (coin(random)) s.until = s.from + Seconds(1e-4);
        all.push_back(s);
    }
    return all;
}

}  // namespace

Scenario random_scenario(std::uint64_t number) {
    RandomStream random(stream_key(20, 0), number);
    Scenario s;
    s.name = "random";
    s.seed = number;
    s.topology = random_topology(random);
    s.profile = random_profile(random);
    const std::int64_t gpus = s.topology.gpus();
    s.parallelism.tensor = s.topology.gpus_per_node % 2 == 0 && random.below(3) == 0 ? 2 : 1;
    s.parallelism.data = gpus / s.parallelism.tensor;
    s.parallelism.expert = s.parallelism.data;
    while (s.parallelism.expert % 2 == 0 && random.below(3) == 0) s.parallelism.expert /= 2;
    s.model = random_model(random, s.parallelism);
    s.batch = {1 + random.below(5), 1 + random.below(100), coin(random) ? 0 : 500};
    s.routing.policy = pick(random, {Policy::softmax_topk, Policy::softmax_topk, Policy::hash, Policy::uniform});
    if (s.routing.policy == Policy::softmax_topk) {
        s.routing.popularity = ZipfSpec{2 * random.uniform()};
        if (random.below(4) == 0) s.routing.gaussian_noise = 1.0;
    }
    if (random.below(3) == 0) s.routing.capacity_factor = 0.5 + random.uniform();
    s.placement = pick(random, {PlacementMethod::contiguous, PlacementMethod::round_robin});
    s.dispatch.dtype = pick(random, {Dtype::bf16, Dtype::fp8});
    s.dispatch.return_dtype = pick(random, {Dtype::bf16, Dtype::fp8});
    s.dispatch.dedup = pick(random, {Dedup::none, Dedup::rank, Dedup::node});
    s.schedule = {1 + random.below(3), 1 + random.below(3), pick(random, {Order::sequential, Order::interleaved})};
    s.stragglers = random_stragglers(random, gpus);
    return s;
}

}  // namespace moesim::test
