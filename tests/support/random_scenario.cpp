#include "support/random_scenario.hpp"

#include "base/random.hpp"
#include "config/scenario_library.hpp"
#include "placement/document.hpp"
#include "support/collective_profiles.hpp"
#include "support/placements.hpp"
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

// Some ranks that compute at once. Slowdowns for a while are of other ranks.
std::vector<SharedCoresSpec> random_shared_cores(RandomStream& random, const std::vector<StragglerSpec>& stragglers,
                                                 std::int64_t ranks) {
    SharedCoresSpec s;
    for (std::int64_t rank = random.below(2); rank < ranks; rank += 1 + random.below(2)) {
        const RankId id(static_cast<std::size_t>(rank));
        if (std::none_of(stragglers.begin(), stragglers.end(),
                         [&](const auto& slow) { return slow.rank == id && slow.passes(); }))
            s.ranks.push_back(id);
    }
    if (s.ranks.size() < 2 || random.below(3) > 0) return {};
    s.cores = 1 + random.below(static_cast<std::uint32_t>(s.ranks.size() - 1));
    return {std::move(s)};
}

PopularitySpec random_popularity(RandomStream& random, const Scenario& s) {
    PopularitySpec p;
    switch (random.below(8)) {
        case 0: p.base = DirichletSpec{0.3 + random.uniform()}; break;
        case 1: p.base = PowerLawSpec{2 * random.uniform(), 0.1, 3}; break;
        case 2: p.base = LogNormalSpec{random.uniform()}; break;
        default: p.base = ZipfSpec{2 * random.uniform()};
    }
    const std::int64_t spare = s.model.experts - s.model.top_k;
    if (spare > 0 && random.below(5) == 0) p.silent_experts = 1 + random.below(static_cast<std::uint32_t>(spare));
    if (random.below(5) == 0)
        p.hot_experts = HotExpertsSpec{1 + random.below(static_cast<std::uint32_t>(s.model.experts)),
                                       0.9 * random.uniform(), random.below(3)};
    if (random.below(5) == 0)
        p.hot_rank =
            HotRankSpec{random.below(static_cast<std::uint32_t>(s.parallelism.expert)), 0.9 * random.uniform()};
    if (random.below(5) == 0) p.bursts = BurstSpec{1 + random.below(50), random.uniform(), 1, 0.9 * random.uniform()};
    if (random.below(5) == 0) p.source_spread = random.uniform();
    if (random.below(5) == 0) p.drift = 0.1 * random.uniform();
    return p;
}

GroupSpec random_groups(RandomStream& random, const ModelSpec& m, bool tiers) {
    GroupSpec g;
    g.groups = m.experts % 2 == 0 && coin(random) ? m.experts / 2 : m.experts;
    g.tiers = tiers && g.groups % 2 == 0 ? 2 : 1;
    const std::int64_t needed = (m.top_k + m.experts / g.groups - 1) / (m.experts / g.groups);
    g.chosen_groups = needed + random.below(static_cast<std::uint32_t>(g.groups - needed + 1));
    const std::int64_t per_tier = g.groups / g.tiers;
    g.chosen_tiers = (g.chosen_groups + per_tier - 1) / per_tier;
    g.score = coin(random) ? GroupScore::max : GroupScore::top2_sum;
    return g;
}

RoutingSpec random_routing(RandomStream& random, const Scenario& s) {
    RoutingSpec r;
    // Every policy but the one that needs a file; the plain one more often.
    const auto count = static_cast<std::uint32_t>(policy_names.size() - 1);
    r.policy = random.below(3) == 0 ? Policy::softmax_topk : static_cast<Policy>(random.below(count));
    if (r.policy == Policy::top1 && s.model.top_k != 1) r.policy = Policy::hard_topk;
    if (has_gate(r.policy)) {
        r.popularity = random_popularity(random, s);
        if (random.below(4) == 0) r.gaussian_noise = 1.0;
        if (random.below(4) == 0) r.affinity = random.uniform();
        if (random.below(4) == 0) r.step = random.below(20);
    }
    if (random.below(3) == 0) r.capacity_factor = 0.5 + random.uniform();
    if (r.capacity_factor && ranks_experts(r.policy) && random.below(3) == 0) r.overflow = Overflow::next_choice;
    if (random.below(6) == 0) r.skipped = {random.uniform()};
    if (r.policy == Policy::bias_balanced) r.bias = {0.01, random.below(20), 1 + random.below(64)};
    if (r.policy == Policy::group_limited || r.policy == Policy::hierarchical)
        r.groups = random_groups(random, s.model, r.policy == Policy::hierarchical);
    if (r.policy == Policy::null_experts) r.nulls = {1 + random.below(4), 0.9 * random.uniform()};
    if (r.policy == Policy::dynamic_k)
        r.dynamic_k = {random.uniform(), 1 + random.below(static_cast<std::uint32_t>(s.model.top_k)),
                       static_cast<Schedule>(random.below(5))};
    if (r.policy == Policy::recurrent) r.recurrence = 3 * random.uniform();
    return r;
}

// Drawn last, so that what is drawn before it stays what it was.
void choose_algorithm(RandomStream& random, DispatchSpec& d) {
    d.algorithm = pick(random, {Algorithm::direct, Algorithm::direct, Algorithm::pairwise, Algorithm::hierarchical,
                                Algorithm::rail, Algorithm::low_latency, Algorithm::context_coherent});
    if (d.algorithm == Algorithm::rail) d.dedup = Dedup::node;
    if (d.algorithm == Algorithm::low_latency) d.dedup = Dedup::none;
    const bool forwards = d.algorithm == Algorithm::direct || d.algorithm == Algorithm::rail;
    if (d.dedup == Dedup::node && !forwards) d.dedup = Dedup::rank;
    if (!has_window(d.algorithm)) return;
    d.window = 1 + random.below(4);
}

// Experts with copies anywhere.
PlacementSpec random_replicas(RandomStream& random, std::uint64_t number, const Scenario& s) {
    const Placement placement =
        random_placement(number, static_cast<std::size_t>(s.model.moe_layers),
                         static_cast<std::size_t>(s.model.experts), static_cast<std::size_t>(s.parallelism.expert));
    PlacementSpec p;
    p.document = std::make_shared<const PlacementDocument>(to_document(placement, "random"));
    p.replicas = pick(random, {ReplicaPolicy::locality, ReplicaPolicy::round_robin});
    return p;
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
    s.batch.sequences = 1 + random.below(5);
    s.batch.tokens_per_sequence = 1 + random.below(100);
    s.batch.context = coin(random) ? 0 : 500;
    if (random.below(4) == 0) s.batch.source_spread = random.uniform();
    if (random.below(6) == 0)
        for (std::int64_t d = 0; d < s.parallelism.data; ++d) s.batch.source_weights.push_back(1 + random.below(3));
    s.routing = random_routing(random, s);
    s.placement.method = pick(random, {PlacementMethod::contiguous, PlacementMethod::round_robin});
    s.dispatch.dtype = pick(random, {Dtype::bf16, Dtype::fp8});
    s.dispatch.return_dtype = pick(random, {Dtype::bf16, Dtype::fp8});
    s.dispatch.dedup = pick(random, {Dedup::none, Dedup::rank, Dedup::node});
    s.schedule = {1 + random.below(3), 1 + random.below(3), pick(random, {Order::sequential, Order::interleaved})};
    s.stragglers = random_stragglers(random, gpus);
    choose_algorithm(random, s.dispatch);
    if (s.dispatch.algorithm == Algorithm::context_coherent && s.model.attention) {
        s.batch.sequences *= s.batch.tokens_per_sequence;
        s.batch.tokens_per_sequence = 1;
    }
    if (s.parallelism.tensor > 1 && coin(random)) s.parallelism.all_reduce = AllReduce::tree;
    const std::int64_t shared = s.parallelism.expert;  // a divisor of data
    if (s.model.attention && s.dispatch.algorithm != Algorithm::context_coherent &&
        s.batch.tokens_per_sequence >= shared && number % 3 == 0)
        s.parallelism.sequence = shared;
    RandomStream replicated(stream_key(20, 2), number);
    if (replicated.below(4) == 0) s.placement = random_replicas(replicated, number, s);
    RandomStream spaced(stream_key(20, 3), number);
    if (spaced.below(4) == 0) s.profile.nic.gap = {Seconds(1e-7 * spaced.below(30)), "made up"};
    if (spaced.below(4) == 0) s.profile.nvlink.gap = {Seconds(1e-7 * spaced.below(30)), "made up"};
    RandomStream crowded(stream_key(20, 4), number);
    s.shared_cores = random_shared_cores(crowded, s.stragglers, gpus);
    return s;
}

Scenario random_library_scenario(std::uint64_t number) {
    Scenario s = random_scenario(number);
    RandomStream random(stream_key(20, 1), number);
    DispatchSpec& d = s.dispatch;
    s.profile.collectives = round_profile().collectives;
    s.network.model = NetworkKind::fluid;
    d.window = DispatchSpec::default_window;
    d.library = pick(random, {Library::nccl, Library::deepep});
    if (d.library == Library::nccl) {
        d.algorithm = pick(random, {Algorithm::direct, Algorithm::pairwise, Algorithm::hierarchical});
        d.dedup = pick(random, {Dedup::none, Dedup::rank});
        if (has_window(d.algorithm)) d.window = 1 + random.below(4);
        NcclProfile& p = *s.profile.collectives.nccl;
        if (random.below(4) == 0) p.flagged = {{Bytes(300), "test"}, {1.5, "test"}};
        if (random.below(3) == 0) p.host_bridge = {{2, "test"}, {BytesPerSecond(5e8), "test"}, {0.5, "test"}};
        p.own_share.value = random.uniform();
        return s;
    }
    d.algorithm = pick(random, {Algorithm::direct, Algorithm::rail, Algorithm::low_latency});
    d.dedup = d.algorithm == Algorithm::low_latency ? Dedup::none : Dedup::node;
    if (d.algorithm == Algorithm::direct && !groups_span_nodes(s)) d.dedup = pick(random, {Dedup::rank, Dedup::node});
    d.return_dtype = Dtype::bf16;
    s.profile.multiprocessors.value = 8;
    d.multiprocessors = d.deepep_normal() ? pick<std::int64_t>(random, {2, 4, 8}) : DispatchSpec{}.multiprocessors;
    if (coin(random)) s.profile.collectives.deepep_normal->dispatch.reduce_rate = std::nullopt;
    return s;
}

bool fills_every_place(const RoutingSpec& r) {
    const bool groups = r.policy == Policy::group_limited || r.policy == Policy::hierarchical;
    return r.skipped.empty() && r.policy != Policy::expert_choice && r.policy != Policy::null_experts &&
           r.policy != Policy::dynamic_k && (!groups || r.popularity.silent_experts == 0);
}

}  // namespace moesim::test
