// Whole layers whose time can be worked out by hand.
#include <set>

#include "cost/stage_cost.hpp"
#include "engine/ring_attention.hpp"
#include "network/collectives/ring.hpp"
#include "support/catch.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// Hash routing with one expert a GPU: of a GPU's t tokens each of n experts gets t / n, exactly.
Scenario even(std::int64_t gpus, std::int64_t tokens_per_gpu) {
    Scenario s = tiny(gpus, gpus * tokens_per_gpu);
    s.routing.policy = Policy::hash;
    return s;
}

}  // namespace

TEST_CASE("one layer on one switch, stage by stage") {
    // 4 GPUs, 400 tokens each, hidden 64, 1x1 tiles on one multiprocessor of 1 TFLOP/s, memory 1 TB/s, links 1 GB/s.
    const auto d = simulate_document(even(4, 400));
    const double gate = 2.0 * 400 * 4 * 64 / 1e12;
    const double select = 400 * (4 * 4 + 8) / 1e12;
    const double pack = 400 * 64 * 4 / 1e12;
    const double dispatch = 3 * (100 * 128) / 1e9;  // three peers, 100 rows of 128 B each, over one link
    const double expert = 2.0 * 400 * 128 * 64 / 1e12 + 400 * 64 * 3 * 2 / 1e12 + 2.0 * 400 * 64 * 64 / 1e12;
    const double unpack = 400 * 64 * 4 / 1e12, combine = 800 * 64 * 2 / 1e12, residual = 3 * 400 * 64 * 2 / 1e12;
    CHECK(stage_value(d, "attention", "mean_s") == 0);
    CHECK(stage_value(d, "gate", "mean_s") == is(gate));
    CHECK(stage_value(d, "select", "mean_s") == is(select));
    CHECK(stage_value(d, "pack", "mean_s") == is(pack));
    CHECK(stage_value(d, "dispatch", "mean_s") == is(dispatch));
    CHECK(stage_value(d, "expert", "mean_s") == is(expert));
    CHECK(stage_value(d, "return", "mean_s") == is(dispatch));
    CHECK(stage_value(d, "unpack", "mean_s") == is(unpack));
    CHECK(stage_value(d, "combine", "mean_s") == is(combine));
    CHECK(stage_value(d, "residual", "mean_s") == is(residual));
    const double sum = gate + select + pack + 2 * dispatch + expert + unpack + combine + residual;
    CHECK(d["makespan_s"].get<double>() == is(sum));
    CHECK(d["tokens_per_s"].get<double>() == is(1600 / sum));
    CHECK(d["traffic"]["dispatch_bytes"] == 4 * 3 * 100 * 128);
    CHECK(d["traffic"]["dispatch_messages"] == 4 * 3);  // one to each destination, whatever the experts there
    CHECK(d["load"]["expert_cv"] == 0);
}

TEST_CASE("the bound equals the simulation for a uniform all-to-all on one switch") {
    for (const std::int64_t gpus : {2, 8, 16}) {
        Scenario s = even(gpus, 16 * gpus);
        const double simulated = simulate_document(s)["makespan_s"].get<double>();
        s.network.model = NetworkKind::bound;
        CHECK(simulate_document(s)["makespan_s"].get<double>() == Approx(simulated).epsilon(1e-6));
    }
}

TEST_CASE("a GPU of half speed doubles its own compute, and the others wait for it") {
    Scenario s = even(4, 400);
    const double expert = stage_value(simulate_document(s), "expert", "mean_s");
    const double before = stage_value(simulate_document(s), "gate", "mean_s") +
                          stage_value(simulate_document(s), "select", "mean_s") +
                          stage_value(simulate_document(s), "pack", "mean_s");
    s.stragglers = {{RankId(2), 0.5, Seconds(0), std::nullopt}};
    const auto d = simulate_document(s);
    CHECK(stage_value(d, "expert", "slowest_s") == is(2 * expert));
    CHECK(stage_value(d, "expert", "slowest_rank") == 2);
    // A peer sends its 38.4 us at once; GPU 2 starts late by what its gate, select and pack take longer.
    CHECK(stage_value(d, "dispatch", "slowest_s") == is(38.4e-6 + before));
}

TEST_CASE("ranks that share cores take each other's time, where they compute at once") {
    // Four ranks that are alike, on two cores: each has half of one in its gate, select, pack and experts.
    Scenario s = even(4, 400);
    const auto alone = simulate_document(s);
    s.shared_cores = {{{RankId(0), RankId(1), RankId(2), RankId(3)}, 2}};
    for (const NetworkKind network : {NetworkKind::simgrid, NetworkKind::fluid, NetworkKind::bound}) {
        s.network.model = network;
        s.network.tolerance = 0;
        const auto d = simulate_document(s);
        for (const char* stage : {"gate", "select", "pack", "expert"})
            CHECK(stage_value(d, stage, "slowest_s") == is(2 * stage_value(alone, stage, "slowest_s")));
        CHECK(stage_value(d, "dispatch", "slowest_s") == is(stage_value(alone, "dispatch", "slowest_s")));
    }
}

TEST_CASE("a slower kind of GPU is a straggler from the start to the end, and a straggler on top is slower still") {
    Scenario s = even(4, 400), straggler = s;
    OverrideSpec slow;
    slow.nodes = {0};
    slow.gpus = {2};
    slow.speed = 0.5;
    s.topology.overrides = {slow};
    straggler.stragglers = {{RankId(2), 0.5, Seconds(0), std::nullopt}};
    const auto without_scenario = [](nlohmann::json document) {
        document.erase("scenario");
        return document;
    };
    CHECK(without_scenario(simulate_document(s)) == without_scenario(simulate_document(straggler)));
    s.stragglers = {{RankId(2), 0.5, Seconds(0), std::nullopt}};
    straggler.stragglers = {{RankId(2), 0.25, Seconds(0), std::nullopt}};
    CHECK(without_scenario(simulate_document(s)) == without_scenario(simulate_document(straggler)));
}

TEST_CASE("chunks overlap dispatch, experts and return") {
    // Two chunks on two GPUs. Rows a chunk: 200 tokens, half of them remote: 100 rows of 128 B: d = 12.8 us each way;
    // the two directions share no link in a pair's exchange, but dispatch 2 and return 1 may meet on one.
    // Expert time is raised well above d by a slow GPU (1 GFLOP/s): e = (2*200*128*64 + 2*200*64*64) / 1e9 plus its
    // activation 200*64*6/1e12. Then dispatch 2 hides behind expert 1, and return 1 behind expert 2:
    //   makespan = before (pack of chunk 1) + d + 2 e + d + after.
    Scenario s = even(2, 400);
    s.profile.peak_bf16->value = FlopsPerSecond(1e9);
    s.schedule.chunks = 2;
    const double e = (2.0 * 200 * 128 * 64 + 2.0 * 200 * 64 * 64) / 1e9 + 200 * 64 * 3 * 2 / 1e12;
    const double gate = 2.0 * 400 * 2 * 64 / 1e9, select = 400 * (2 * 4 + 8) / 1e12, pack = 200 * 64 * 4 / 1e12;
    const double after = 400 * 64 * 4 / 1e12 + 800 * 64 * 2 / 1e12 + 3 * 400 * 64 * 2 / 1e12;
    const double d = 100 * 128 / 1e9;
    const auto document = simulate_document(s);
    CHECK(document["makespan_s"].get<double>() == is(gate + select + pack + 2 * d + 2 * e + after));
    // Without chunks nothing overlaps: the same work plus twice the exchange again, and one pack.
    s.schedule.chunks = 1;
    const double one = (2.0 * 400 * 128 * 64 + 2.0 * 400 * 64 * 64) / 1e9 + 400 * 64 * 3 * 2 / 1e12;
    CHECK(simulate_document(s)["makespan_s"].get<double>() == is(gate + select + 2 * pack + 4 * d + one + after));
}

TEST_CASE("interleaved micro-batches hide one's exchange behind the other's compute") {
    Scenario s = even(4, 400);
    s.model.moe_layers = 4;
    s.schedule.micro_batches = 2;
    s.profile.peak_bf16->value = FlopsPerSecond(2.5e11);
    // One micro-batch: 200 tokens a GPU, 150 rows of 128 B away: d = 19.2 us; experts e = 2 * 200 * 192 * 64 / 2.5e11
    // = 19.7 us. One after another a layer takes 2 (2 d + e) = 116 us; the links alone are busy for 4 d = 77 us.
    const double sequential = simulate_document(s)["makespan_s"].get<double>();
    s.schedule.order = Order::interleaved;
    const double interleaved = simulate_document(s)["makespan_s"].get<double>();
    CHECK(sequential == Approx(4 * 116e-6).epsilon(0.02));
    CHECK(interleaved > 4 * 77e-6);
    CHECK(interleaved < 0.85 * sequential);
}

TEST_CASE("a tensor-parallel group pays a ring all-reduce") {
    // 2 groups of 2 GPUs. Expert rows on each: 400 of a chunk, 64 wide in bf16: n = 400 * 128 B = 51200 B. Ring of 2:
    // 2 (2 - 1) / 2 * 51200 = 51200 B on one link each way: 51.2 us, twice the half: 2 steps of 25600 B.
    Scenario s = even(4, 200);
    s.parallelism = {2, 2, 2};
    s.model.experts = 2;
    const auto d = simulate_document(s);
    CHECK(d["traffic"]["tensor_parallel_bytes"] == 4 * 51200);
    const double compute = 2.0 * 400 * 64 * 64 / 1e12 + 400 * 32 * 3 * 2 / 1e12 + 2.0 * 400 * 64 * 32 / 1e12;
    CHECK(stage_value(d, "expert", "mean_s") == is(compute + 51.2e-6));
}

TEST_CASE("shared experts compute while the dispatch is under way") {
    Scenario s = even(2, 400);
    s.profile.peak_bf16->value = FlopsPerSecond(1e9);
    const auto without = simulate_document(s);
    s.model.shared_experts = 1;
    s.model.shared_ffn = 1;  // 2 * 400 * 2 * 64 + 2 * 400 * 64 = 153600 FLOP: 153.6 us, longer than the dispatch
    const double shared = 153600 / 1e9 + 400 * 1 * 3 * 2 / 1e12;
    const auto with = simulate_document(s);
    CHECK(stage_value(with, "expert", "mean_s") == is(stage_value(without, "expert", "mean_s") + shared));
    CHECK(with["makespan_s"].get<double>() ==
          is(without["makespan_s"].get<double>() + shared - stage_value(without, "dispatch", "mean_s")));
}

TEST_CASE("memory is laid out as the shapes say") {
    // 2 GPUs, 400 tokens each, hidden 64, one expert of inner 64 (gated: 3 * 64 * 64 weights), gate 64 x 2.
    const auto m = simulate_document(even(2, 400))["memory"]["ranks"][0];
    CHECK(m["weights_bytes"] == (3 * 64 * 64 + 64 * 2) * 2);
    CHECK(m["kv_cache_bytes"] == 0);
    CHECK(m["input_bytes"] == 400 * 128);
    CHECK(m["output_bytes"] == 400 * 128);
    CHECK(m["send_buffer_bytes"] == 400 * 128);
    CHECK(m["expert_input_bytes"] == 400 * 128);
    CHECK(m["temporary_bytes"] == 400 * 64 * 3 * 2);
    std::int64_t sum = 0;
    for (const auto& [name, bytes] : m.items())
        if (name != "total_bytes") sum += bytes.get<std::int64_t>();
    CHECK(m["total_bytes"] == sum);
}

TEST_CASE("a GPU that is too small is an error that lists what fills it") {
    Scenario s = even(2, 400);
    s.profile.memory_capacity.value = Bytes(100'000);
    CHECK_THROWS_WITH(simulate_document(s), Catch::Matchers::StartsWith(
                                                "test: $.model: found 0.00 GiB of memory needed on rank 0 (weights "));
}

TEST_CASE("independent expert groups do not hold each other back in the bound") {
    // Two groups of two GPUs; one is slow at first, the other afterwards. A bound of one group must not wait for the
    // other's.
    Scenario s = even(4, 400);
    s.parallelism = {4, 2, 1};
    s.model.experts = 2;
    s.model.moe_layers = 3;
    s.profile.peak_bf16->value = FlopsPerSecond(1e10);
    s.stragglers = {{RankId(0), 0.02, Seconds(0), Seconds(3e-3)},
                    {RankId(1), 0.02, Seconds(0), Seconds(3e-3)},
                    {RankId(2), 0.02, Seconds(3e-3), std::nullopt},
                    {RankId(3), 0.02, Seconds(3e-3), std::nullopt}};
    const double simulated = simulate_document(s)["makespan_s"].get<double>();
    s.network.model = NetworkKind::bound;
    CHECK(simulate_document(s)["makespan_s"].get<double>() <= simulated * (1 + 1e-9));
}

TEST_CASE("the bound keeps the busiest link of every layer") {
    // Two nodes under one oversubscribed pair of uplinks, uniform traffic, three layers: each dispatch and each return
    // takes the uplink 2 * 2 * rows * 128 / (0.1e9 * 2 / 8), and layers come one after another.
    Scenario s = even(4, 400);
    s.topology = small_tree(2, 2, 8.0);
    s.model.moe_layers = 3;
    const double simulated = simulate_document(s)["makespan_s"].get<double>();
    s.network.model = NetworkKind::bound;
    const double uplink = 2 * 2 * 100 * 128 / (1e8 * 2 / 8);
    CHECK(simulated > 6 * uplink);
    CHECK(simulate_document(s)["makespan_s"].get<double>() == Approx(simulated).epsilon(0.02));
}

TEST_CASE("each step of a ring pays its latency, each all-reduce its ring") {
    // One dense layer and attention: 3 all-reduces in `attention`. 200 tokens in a group of 4: n = 200 * 128 B, steps
    // of n / 4 = 6400 B, 2 * 3 steps each; a step takes 5 us + 6400 / 1e9 s = 11.4 us. 3 * 6 * 11.4 us = 205.2 us.
    Scenario s = even(4, 50);
    s.parallelism = {1, 1, 4};
    s.model.experts = 4;
    s.model.attention = AttentionSpec{4, 4, 16, true};
    s.model.dense_layers_per_moe_layer = 1;
    s.model.dense_ffn = 64;
    s.profile.nvlink.overhead.value = Seconds(5e-6);
    const auto d = simulate_document(s);
    s.profile.nvlink.overhead.value = Seconds(0);
    s.topology.nvlink.bandwidth = BytesPerSecond(1e15);
    const double compute = stage_value(simulate_document(s), "attention", "mean_s");
    CHECK(stage_value(d, "attention", "mean_s") - compute == Approx(205.2e-6).epsilon(1e-6));
}

TEST_CASE("a tensor-parallel group may reduce over trees") {
    // As on the ring, two GPUs move n bytes in all of both: n = 400 * 128 B, half of them each way up and down. With
    // 5 us a message and no bytes to speak of, four GPUs need 4 start-ups (two up, two down) where the ring has 6.
    Scenario s = even(4, 200);
    s.parallelism = {2, 2, 2, AllReduce::tree};
    s.model.experts = 2;
    CHECK(simulate_document(s)["traffic"]["tensor_parallel_bytes"] == 4 * 51200);
    s = even(4, 1);
    s.parallelism = {1, 1, 4, AllReduce::tree};
    s.model.experts = 4;
    s.profile.nvlink.overhead.value = Seconds(5e-6);
    s.topology.nvlink.bandwidth = BytesPerSecond(1e15);
    const double tree = stage_value(simulate_document(s), "expert", "mean_s");
    s.parallelism.all_reduce = AllReduce::ring;
    CHECK(stage_value(simulate_document(s), "expert", "mean_s") - tree == Approx(10e-6).epsilon(1e-3));
}

TEST_CASE("ranks that share sequences attend to what the ring has brought them") {
    // Four GPUs, 400 of 1600 tokens of one sequence each, 1 kv head of 8: a block is 400 * 2 * 8 * 2 B = 12800 B. Both
    // ways around over one link out: step 1 takes 2 * 12.8 us and brings two blocks, step 2 12.8 us and one. With
    // fast compute the last quarter of the attention follows both; with fast links all four follow each other.
    Scenario s = even(4, 400);
    s.batch.sequences = 1;
    s.batch.tokens_per_sequence = 1600;
    s.model.attention = AttentionSpec{2, 1, 8, true};
    s.profile.memory_bandwidth.value = BytesPerSecond(1e18);
    s.profile.peak_bf16->value = FlopsPerSecond(1e16);
    const double alone = simulate_document(s)["makespan_s"].get<double>();
    s.parallelism.sequence = 4;
    const StageCost cost(s);
    const double all = cost.attention(400).value(), projection = cost.projection(400).value();
    const auto d = simulate_document(s);
    CHECK(d["makespan_s"].get<double>() - alone == is(projection + 38.4e-6 + (all - projection) / 4 - all));
    CHECK(d["traffic"]["context_bytes"] == 4 * 3 * 12800);
    s.topology.nvlink.bandwidth = BytesPerSecond(1e18);
    const double overlapped = simulate_document(s)["makespan_s"].get<double>();
    s.parallelism.sequence = 1;
    CHECK(overlapped == is(simulate_document(s)["makespan_s"].get<double>()));
}

TEST_CASE("on a ring each step brings the blocks of one place more on both sides") {
    std::vector<RankId> ranks;
    for (std::size_t r = 0; r < 4; ++r) ranks.emplace_back(r);
    const auto messages = two_way_ring_exchange(ranks, Bytes(1));
    const auto steps = ring_steps(ranks, messages);
    REQUIRE(steps.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(steps[i].size() == 3);
        CHECK(steps[i][0].arrivals.empty());
        CHECK(steps[i][0].share == is(0.25));
        REQUIRE(steps[i][1].arrivals.size() == 2);
        CHECK(steps[i][1].share == is(0.5));
        std::set<std::size_t> from;
        for (const std::size_t m : steps[i][1].arrivals) from.insert(messages[m].from.value());
        CHECK(from == std::set<std::size_t>{(i + 1) % 4, (i + 3) % 4});
        REQUIRE(steps[i][2].arrivals.size() == 1);
        CHECK(steps[i][2].share == is(0.25));
    }
}

TEST_CASE("shared experts of a tensor-parallel group are summed up too") {
    Scenario s = even(4, 200);
    s.parallelism = {2, 2, 2};
    s.model.experts = 2;
    s.model.shared_experts = 2;
    s.model.shared_ffn = 2;
    // Own tokens: 400 rows a rank; rows for its experts: 400; 128 B each, 2 (2 - 1) / 2 of it, on 4 ranks.
    CHECK(simulate_document(s)["traffic"]["tensor_parallel_bytes"] == 2 * 4 * 400 * 128);
}

TEST_CASE("several experts of one GPU sum up what they made of a token") {
    // One GPU, two experts, top-2: 400 tokens arrive once each and are computed twice: reads 800, writes 400 rows.
    Scenario s = tiny(1, 400);
    s.model.experts = s.model.top_k = 2;
    const double computed = 2 * (2.0 * 400 * 128 * 64 + 2.0 * 400 * 64 * 64) / 1e12 + 800 * 64 * 3 * 2 / 1e12;
    CHECK(stage_value(simulate_document(s), "expert", "mean_s") == is(computed + 1200 * 64 * 2 / 1e12));
}

TEST_CASE("network between nodes has its own overhead and efficiency") {
    Scenario s = even(2, 400);
    s.topology = small_tree(2, 1);
    s.profile.nic.overhead.value = Seconds(7e-6);
    s.profile.nic.efficiency.value = 0.5;
    s.profile.nvlink.overhead.value = Seconds(1);  // not on the way
    // 200 rows of 128 B over 0.1 GB/s at 0.5, and so over the uplinks: 512 us.
    CHECK(stage_value(simulate_document(s), "dispatch", "mean_s") == is(7e-6 + 200 * 128 / 5e7));
}

TEST_CASE("slowdowns that follow each other take over at once") {
    // GPU 0 at 0.5 until its gate, select and pack are long over, then at 0.25: experts take four times as long.
    Scenario s = even(2, 400);
    s.profile.peak_bf16->value = FlopsPerSecond(1e11);
    const double expert = stage_value(simulate_document(s), "expert", "mean_s");
    const Seconds later(20e-6);
    s.stragglers = {{RankId(0), 0.25, later, std::nullopt}, {RankId(0), 0.5, Seconds(0), later}};
    CHECK(stage_value(simulate_document(s), "expert", "slowest_s") == is(4 * expert));
}

TEST_CASE("capacity limits what each source sends to an expert") {
    // Weights let all tokens choose expert 0 first. 100 tokens a GPU, top-1 of 2 experts, factor 0.5: each GPU keeps
    // ceil(0.5 * 100 / 2) = 25 of about 100.
    Scenario s = tiny(2, 200);
    s.routing.policy = Policy::softmax_topk;
    s.routing.popularity.base = WeightsSpec{{{1.0, 0.0}}};
    s.routing.capacity_factor = 0.5;
    const auto d = simulate_document(s);
    CHECK(d["load"]["drop_rate"].get<double>() == Approx(0.75));
    CHECK(d["load"]["layers"][0]["expert_tokens"] == std::vector<int>{50, 0});
}

TEST_CASE("memory counts caches, dense layers and rows on their way through") {
    // 3 sequences of 100 tokens over 2 GPUs: 150 tokens, 2 sequences each (one is cached on both). Attention 4 heads of
    // 16, 2 kv heads: 2 layers (one dense) * 2 sequences * 100 tokens * 2 * 32 * 2 B.
    Scenario s = tiny(2, 100);
    s.batch.sequences = 3;
    s.model.attention = AttentionSpec{4, 2, 16, true};
    s.model.dense_layers_per_moe_layer = 1;
    s.model.dense_ffn = 6400;
    auto m = simulate_document(s)["memory"]["ranks"][0];
    CHECK(m["kv_cache_bytes"] == 2 * 2 * 100 * 2 * 32 * 2);
    CHECK(m["temporary_bytes"] == 150 * 6400 * 3 * 2);
    CHECK(m["weights_bytes"] == (3 * 64 * 64 + 64 * 2 + 3 * 64 * 6400 + 2 * (64 * 64 * 2 + 64 * 32 * 2)) * 2);
    CHECK(m["forward_bytes"] == 0);
    // Two nodes of two GPUs, all tokens of GPU 0 want expert 3 on the far GPU 3: they pass through GPU 2.
    s = tiny(4, 4);
    s.topology = small_tree(2, 2);
    s.routing.policy = Policy::softmax_topk;
    s.routing.popularity.base = WeightsSpec{{{0, 0, 0, 1}}};
    s.dispatch.dedup = Dedup::node;
    m = simulate_document(s)["memory"]["ranks"];
    CHECK(m[2]["forward_bytes"] == 1 * 64 * (2 + 2));
    CHECK(m[2]["expert_input_bytes"] == 0);
}
