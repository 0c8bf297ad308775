// Stage costs against arithmetic done by hand.
#include "cost/roofline.hpp"
#include "cost/stage_cost.hpp"
#include "support/catch.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// 4 multiprocessors, tiles of 128 x 64, 100 TFLOP/s at 0.5, 1 TB/s at 0.8, launches of 2 us.
Profile small_gpu() {
    Profile p = ideal_profile();
    p.multiprocessors.value = 4;
    p.grouped.tile_m.value = p.dense.tile_m.value = 128;
    p.grouped.tile_n.value = p.dense.tile_n.value = 64;
    p.grouped.efficiency.value = p.dense.efficiency.value = 0.5;
    p.peak_bf16->value = FlopsPerSecond(100e12);
    p.memory_efficiency.value = 0.8;
    p.launch.value = Seconds(2e-6);
    return p;
}

}  // namespace

TEST_CASE("a streaming kernel takes a launch and its bytes") {
    // 2e-6 + 8e6 / (1e12 * 0.8) = 12e-6
    CHECK(Roofline(small_gpu()).streaming(8e6).value() == Approx(12e-6).epsilon(1e-12));
}

TEST_CASE("a grouped product pays for whole tiles and whole waves") {
    // Rows 200, 0, 10 with n = 256, k = 4096: ceil(200/128) + ceil(10/128) = 3 rows of tiles, times 256/64 = 4: 12
    // tiles, 3 waves of 4. Compute: 12 * 2 * 128 * 64 * 4096 / (100e12 * 0.5) = 16.106e-6.
    // Memory: (2 groups * 256 * 4096 + 210 * (256 + 4096)) * 2 B / 0.8e12 = (2097152 + 913920) * 2 / 0.8e12 = 7.53e-6.
    const Profile p = small_gpu();
    const std::vector<std::int64_t> rows = {200, 0, 10};
    const double compute = 12.0 * 2 * 128 * 64 * 4096 / 50e12;
    CHECK(Roofline(p).matmul(p.grouped, Dtype::bf16, rows, 256, 4096).value() == Approx(2e-6 + compute).epsilon(1e-12));
    // One row: 4 tiles, one wave; compute 5.4e-6, memory (1048576 + 4352) * 2 / 0.8e12 = 2.63e-6.
    CHECK(Roofline(p).matmul(p.grouped, Dtype::bf16, std::vector<std::int64_t>{1}, 256, 4096).value() ==
          Approx(2e-6 + compute / 3).epsilon(1e-12));
    CHECK(Roofline(p).matmul(p.grouped, Dtype::bf16, std::vector<std::int64_t>{0, 0}, 256, 4096).value() == 0);
}

TEST_CASE("a product with few rows is bound by its weights") {
    // n = k = 8192, one row, peak raised out of the way: (8192^2 + 2 * 8192) * 2 / 0.8e12 = 167.8e-6.
    Profile p = small_gpu();
    p.peak_bf16->value = FlopsPerSecond(1e18);
    CHECK(Roofline(p).dense(Dtype::bf16, 1, 8192, 8192).value() ==
          Approx(2e-6 + (8192.0 * 8192 + 2 * 8192) * 2 / 0.8e12).epsilon(1e-12));
}

TEST_CASE("a product with few tiles shares out its depth") {
    // 10 rows, n = 64: one tile; k = 4096 in parts of at least 512: 8 parts, but 4 multiprocessors: 4 parts of 1024.
    // 4 * 2 * 128 * 64 * 1024 / 50e12 = 1.342e-6. With k = 1024 two parts of 512: 0.671e-6. A quarter and a half of
    // what the same takes whole. Memory: (4096 * 64 + 10 * 4160) * 2 / 0.8e12 = 0.759e-6 and 0.191e-6.
    Profile p = small_gpu();
    p.dense.split_depth = Sourced<std::int64_t>{512, "test"};
    const Roofline r(p);
    CHECK(r.dense(Dtype::bf16, 10, 64, 4096).value() ==
          Approx(2e-6 + 4.0 * 2 * 128 * 64 * 1024 / 50e12).epsilon(1e-12));
    CHECK(r.dense(Dtype::bf16, 10, 64, 1024).value() == Approx(2e-6 + 4.0 * 2 * 128 * 64 * 512 / 50e12).epsilon(1e-12));
    // Four tiles keep all multiprocessors busy: nothing to share out.
    CHECK(r.dense(Dtype::bf16, 10, 256, 4096).value() ==
          Roofline(small_gpu()).dense(Dtype::bf16, 10, 256, 4096).value());
}

TEST_CASE("the cost of a product never falls with more rows") {
    const Profile p = small_gpu();
    const Roofline roofline(p);
    double last = 0;
    for (std::int64_t rows = 1; rows < 2000; rows += 7) {
        const double t = roofline.matmul(p.grouped, Dtype::bf16, std::vector<std::int64_t>{rows, 5}, 512, 512).value();
        CHECK(t >= last);
        last = t;
    }
}

TEST_CASE("an expert is two products and an activation, over the inner width of its tensor-parallel part") {
    Scenario s = tiny(2, 8);
    s.profile = small_gpu();
    s.model.hidden = 512;
    s.model.expert_ffn = 1024;
    const std::vector<std::int64_t> rows = {300, 40};
    const Roofline r(s.profile);
    for (const std::int64_t tensor : {1, 2}) {
        s.parallelism = {2, 2, tensor};
        const std::int64_t inner = 1024 / tensor;
        // gated: reads 2 * inner values a row, writes inner, 2 B each
        const double expected = r.matmul(s.profile.grouped, Dtype::bf16, rows, 2 * inner, 512).value() +
                                r.streaming(340.0 * static_cast<double>(inner) * 3 * 2).value() +
                                r.matmul(s.profile.grouped, Dtype::bf16, rows, 512, inner).value();
        CHECK(StageCost(s).expert(rows).value() == Approx(expected).epsilon(1e-12));
    }
}

TEST_CASE("attention counts scores over what a token attends to") {
    // Ideal GPU: 1 TFLOP/s, 1x1 tiles, no launches; all of it is bound by compute.
    // 4 tokens in a sequence of 4, 2 heads of 8 (q = 16), 1 kv head (kv = 8), hidden 64:
    //   projections 2 * 4 * (16 + 16) * 64 + 2 * 4 * 64 * 16 = 16384 + 8192 FLOP
    //   causal: attended (4 + 1) / 2 = 2.5: 4 * 4 * 2.5 * 16 = 640; full: 4 * 4 * 4 * 16 = 1024
    //   with 100 earlier tokens, causal: 4 * 4 * 102.5 * 16 = 26240
    Scenario s = tiny(1, 4);
    s.profile.memory_bandwidth.value = BytesPerSecond(1e18);
    s.model.attention = AttentionSpec{2, 1, 8, true};
    CHECK(StageCost(s).attention(4).value() == Approx((24576 + 640) / 1e12).epsilon(1e-12));
    s.model.attention->causal = false;
    CHECK(StageCost(s).attention(4).value() == Approx((24576 + 1024) / 1e12).epsilon(1e-12));
    s.model.attention->causal = true;
    s.batch.context = 100;
    CHECK(StageCost(s).attention(4).value() == Approx((24576 + 26240) / 1e12).epsilon(1e-12));
    CHECK(StageCost(s).attention_all_reduces() == 1);
    CHECK(StageCost(s).projection(4).value() == Approx(2.0 * 4 * 32 * 64 / 1e12).epsilon(1e-12));
}

TEST_CASE("dense layers between MoE layers add their attention and feed-forward") {
    // One dense layer of inner width 128: 2 * 4 * 256 * 64 + 2 * 4 * 64 * 128 = 196608 FLOP; attention twice.
    Scenario s = tiny(1, 4);
    s.profile.memory_bandwidth.value = BytesPerSecond(1e18);
    s.model.attention = AttentionSpec{2, 1, 8, true};
    s.model.dense_layers_per_moe_layer = 1;
    s.model.dense_ffn = 128;
    const double activation = 4.0 * 128 * 3 * 2 / 1e18;
    CHECK(StageCost(s).attention(4).value() == Approx(2 * (24576 + 640) / 1e12 + 196608 / 1e12 + activation));
    CHECK(StageCost(s).attention_all_reduces() == 3);
}

TEST_CASE("decoding is bound by reading the cache") {
    // One new token in each of 8 sequences with 9,999 earlier ones: 8 * 10000 * 2 * kv(8) * 2 B = 2.56e6 B, and
    // queries in and out 2 * 8 * 16 * 2 = 512 B. Compute is out of the way.
    Scenario s = tiny(1, 1);
    s.profile.peak_bf16->value = FlopsPerSecond(1e19);
    s.batch.sequences = 8;
    s.batch.context = 9999;
    s.batch.tokens_per_sequence = 1;
    s.model.attention = AttentionSpec{2, 1, 8, true};
    const double projections = (32.0 * 64 + 8 * (32 + 64)) * 2 / 1e12 + (64.0 * 16 + 8 * (64 + 16)) * 2 / 1e12;
    CHECK(StageCost(s).attention(8).value() == Approx((2.56e6 + 512) / 1e12 + projections));
}

TEST_CASE("what has nothing to do takes no time") {
    Scenario s = tiny(2, 8);
    s.profile = small_gpu();
    const StageCost c(s);
    const std::vector<std::int64_t> none = {0, 0};
    for (const Seconds t : {c.attention(0), c.gate(0), c.select(0), c.pack(0), c.expert(none), c.shared_experts(5),
                            c.unpack(0), c.combine(0, 0), c.residual(0)})
        CHECK(t == Seconds(0));
}
