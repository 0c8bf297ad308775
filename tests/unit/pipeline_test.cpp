// Whole layers whose time can be worked out by hand.
#include "support/catch.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

auto is(double seconds) { return Approx(seconds).epsilon(1e-9).margin(0); }

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
        s.network = NetworkKind::bound;
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
