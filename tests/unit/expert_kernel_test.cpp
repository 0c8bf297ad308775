#include "cost/expert_kernel.hpp"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cost/stage_cost.hpp"
#include "support/catch.hpp"
#include "support/expert_kernels.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

TEST_CASE("the law of an expert kernel, by hand", "[cost]") {
    // Hidden 8, inner 4, gated: products 8 x 8 and 8 x 4. Rows 3 and 5 in tiles of 4 x 4 x 2; nothing in the cache.
    //   waiting: 8 / 2 = 4 and 4 / 2 = 2 steps of 1 + 2 us           12, 6 us
    //   work: padded rows 4 + 8 = 12, area 2 8 8 = 128 and 2 8 4 = 64, at 1 GFLOP/s and, for 8 rows, at 2 GFLOP/s:
    //     128 (12 / 1e9 + 8 / 2e9) = 2.048 us and 1.024 us
    //   memory at 1 GB/s: weights 64 2 (1 + 2 readings, of one tile) = 384 B and 192 B, rows 8 (8 2 + 2 8) = 256 B and
    //     8 (4 2 + 2 8) = 192 B: 0.640 and 0.384 us
    //   elements: 10 rows, (2 8 + 4 + 16) 2 = 72 B each, at 1 GB/s: 0.720 us; launch 5 us
    //   With p = 1 all parts add up: 5 + 12 + 6 + 2.048 + 1.024 + 0.640 + 0.384 + 0.720 us.
    ExpertKernel k = round_kernel();
    const std::array<std::int64_t, 3> rows = {3, 0, 5};
    CHECK(expert_kernel_time(k, {8, 4, true, 10, 3, 10, rows}).value() == Approx(27.816e-6));
    // With p = 2 each product is the root of the sum of squares of waiting and of work and memory together ...
    k.overlap.value = 2;
    double first = std::sqrt(12.0 * 12 + (2.048 + 0.64) * (2.048 + 0.64));
    double second = std::sqrt(6.0 * 6 + (1.024 + 0.384) * (1.024 + 0.384));
    CHECK(expert_kernel_time(k, {8, 4, true, 10, 3, 10, rows}).value() == Approx((5.72 + first + second) * 1e-6));
    // ... and with q = 2 of all three.
    k.work_overlap.value = 2;
    first = std::sqrt(12.0 * 12 + 2.048 * 2.048 + 0.64 * 0.64);
    second = std::sqrt(6.0 * 6 + 1.024 * 1.024 + 0.384 * 0.384);
    CHECK(expert_kernel_time(k, {8, 4, true, 10, 3, 10, rows}).value() == Approx((5.72 + first + second) * 1e-6));
    // Ten choices, a tenth of a microsecond each.
    k.choice_time.value = Seconds(1e-7);
    CHECK(expert_kernel_time(k, {8, 4, true, 10, 3, 10, rows}).value() == Approx((6.72 + first + second) * 1e-6));
}

TEST_CASE("what stays in the cache is faster, and long work is slower", "[cost]") {
    // A cache of 1 TB keeps all: steps take 1 us, bytes go at 1 + 3 = 4 GB/s, and no weights are read again: 2 (64 2) +
    // 256 B and 2 (32 2) + 192 B. Work is as before.
    ExpertKernel k = round_kernel();
    k.cache.value = Bytes(1'000'000'000'000);
    const std::array<std::int64_t, 2> rows = {3, 5};
    const double work = 2.048 + 1.024;
    CHECK(expert_kernel_time(k, {8, 4, true, 10, 2, 10, rows}).value() ==
          Approx((5 + 4 + 2 + work + (0.512 + 0.32 + 0.72) / 4) * 1e-6));
    // Half of the slowdown where the work of both products would take slowdown_time, 3.072 us: 1 + 0.5 / 2.
    k.slowdown.value = 0.5;
    k.slowdown_time.value = Seconds(3.072e-6);
    CHECK(expert_kernel_time(k, {8, 4, true, 10, 2, 10, rows}).value() ==
          Approx((5 + 4 + 2 + 1.25 * work + (0.512 + 0.32 + 0.72) / 4) * 1e-6));
}

TEST_CASE("large tiles read less for a product, and large buffers are slower", "[cost]") {
    // As in the first case, where 4 columns and rows count like 64 x 64, since 32 / 4 + 32 / 4 is above 1; with 64
    // columns and 128 rows u = 0.2 + 0.8 (32 / 64 + 32 / 128) = 0.8. One tile of 128 rows for each of two experts, 64
    // wide and deep:
    //   work: 256 rows at 0.8, areas 2 128 64 = 16384 and 2 64 64 = 8192: 16384 (256 0.8 / 1e9 + 8 / 2e9) = 3420.9792
    //   us,
    //     half of that for the other; 5131.4688 us, and half of 0.8 slowdown more where that is slowdown_time
    ExpertKernel k = round_kernel();
    k.cache.value = Bytes(1'000'000'000'000);
    k.tiles.value[0].rows = 128, k.tiles.value[0].columns = 64;
    const std::array<std::int64_t, 2> rows = {3, 5};
    const ExpertCall call{64, 64, true, 10, 2, 10, rows};
    const double work = 5131.4688e-6, without = expert_kernel_time(k, call).value() - work;
    k.slowdown.value = 0.4, k.slowdown_time.value = Seconds(work);
    CHECK(expert_kernel_time(k, call).value() == Approx(without + 1.16 * work));
    // Elements: 10 rows of (2 128 + 64 + 128) 2 = 896 B at 4 GB/s, 2.24 us. Buffers of 2 10 128 = 2560 B are twice the
    // span: z = 4, so 0.5 x 4 / 5 = 0.4 more.
    k.element_slowdown.value = 0.5, k.element_span.value = Bytes(1280);
    CHECK(expert_kernel_time(k, call).value() == Approx(without + 1.16 * work + 0.4 * 2.24e-6));
}

TEST_CASE("without rows a call takes no time, with others' rows their elements", "[cost]") {
    const ExpertKernel k = round_kernel();
    CHECK(expert_kernel_time(k, {8, 4, true, 0, 2, 0, {}}).value() == 0);
    CHECK(expert_kernel_time(k, {8, 4, true, 10, 2, 10, {}}).value() == Approx(5.72e-6));
}

TEST_CASE("the tile is the first that the call is small enough for", "[cost]") {
    ExpertKernel k = round_kernel();
    k.tiles.value.clear();
    for (const std::int64_t rows : {8, 16, 32, 48, 64}) k.tiles.value.push_back({{}, {}, {}, {}, rows, 32, 64, 1});
    k.tiles.value[0].experts = 4, k.tiles.value[0].inner = 96, k.tiles.value[0].most_tokens = 20;
    k.tiles.value[1].most_tokens_an_expert = 1;
    k.tiles.value[2].most_tokens = 100, k.tiles.value[2].most_tokens_an_expert = 10;
    k.tiles.value[3].most_tokens = 100;
    const auto rows = [&](std::int64_t tokens, std::int64_t experts, std::int64_t inner) {
        ExpertCall call;
        call.tokens = tokens, call.experts = experts, call.inner = inner;
        return expert_tile(k, call).rows;
    };
    CHECK(rows(8, 8, 64) == 16);
    CHECK(rows(9, 8, 64) == 32);
    CHECK(rows(80, 8, 64) == 32);
    CHECK(rows(81, 8, 64) == 48);  // 100 tokens at most, and more than 10 an expert
    CHECK(rows(100, 8, 64) == 48);
    CHECK(rows(101, 8, 64) == 64);
    CHECK(rows(101, 128, 64) == 16);
    CHECK(rows(20, 4, 96) == 8);  // tuned for that shape
    CHECK(rows(20, 4, 64) == 32);
    CHECK(rows(20, 5, 96) == 32);
    CHECK(rows(21, 4, 96) == 32);
}

TEST_CASE("the expert stage takes a fitted kernel where the profile or the model names one", "[cost]") {
    Scenario s = tiny(2, 8);
    const std::array<std::int64_t, 1> rows = {7};
    const Seconds roofline = StageCost(s).expert(rows);
    s.profile.experts.kernels = {round_kernel()};
    CHECK(StageCost(s).expert(rows) == roofline);
    const Seconds fitted = expert_kernel_time(
        round_kernel(), {s.model.hidden, s.model.expert_ffn, s.model.gated, 7, s.model.experts / 2, 7, rows});
    CHECK(fitted != roofline);
    s.profile.experts.bf16 = "round";
    CHECK(StageCost(s).expert(rows) == fitted);
    s.model.expert_kernel = "roofline";
    CHECK(StageCost(s).expert(rows) == roofline);
    s.profile.experts.bf16 = "";
    s.model.expert_kernel = "round";
    CHECK(StageCost(s).expert(rows) == fitted);
}

TEST_CASE("a profile with kernels for experts is written and read back as the same", "[config]") {
    Profile p = ideal_profile();
    p.experts.kernels = {round_kernel()};
    p.experts.bf16 = "round";
    CHECK(parse_profile(nlohmann::json::parse(to_json(p).dump()), "written") == p);
}
