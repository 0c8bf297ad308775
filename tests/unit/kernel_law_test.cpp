// Laws of timed operations: what calls count, by hand; what a stage takes; how a fit finds costs again.
#include "cost/kernel_law.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/random.hpp"
#include "calibrate/measure/fit_kernels.hpp"
#include "config/json_object.hpp"
#include "cost/stage_cost.hpp"
#include "support/catch.hpp"
#include "support/kernel_laws.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

using Quantity = KernelQuantity;
using Operation = KernelOperation;

// In the order of Quantity.
PerQuantity per(double call, double group, double row, double choice, double byte, double far, double weight,
                double flop) {
    return {call, group, row, choice, byte, far, weight, flop};
}

TimedCall timed_call(Operation operation, const std::string& shape, const PerQuantity& counts, double time) {
    TimedCall c{operation, shape, counts, {}};
    c.timing.median = c.timing.low = c.timing.high = Seconds(time);
    return c;
}

}  // namespace

TEST_CASE("what the operations count, by hand", "[cost]") {
    // 3 tokens, 4 wide, 5 experts: bytes 2 3 4 + 4 3 5 = 84, weights 2 5 4 = 40, flop 2 3 4 5 = 120.
    CHECK(gate_counts(3, 4, 5) == per(1, 0, 3, 0, 84, 0, 40, 120));
    // top-2: 3 (4 5 + 6 2) = 96 B.
    CHECK(select_counts(3, 5, 2) == per(1, 0, 3, 6, 96, 0, 0, 0));
    // 6 choices of 14 B, 5 experts on 2 ranks.
    CHECK(order_counts(3, 2, 5, 2) == per(1, 7, 3, 6, 84, 0, 0, 0));
    // 3 rows of 4: 3 4 (2 + 2); with fp8 3 (4 (2 + 1) + 4).
    CHECK(moved_counts(3, 4, false) == per(1, 0, 3, 0, 48, 0, 0, 0));
    CHECK(moved_counts(3, 4, true) == per(1, 0, 3, 0, 48, 0, 0, 0));
    CHECK(moved_counts(3, 8, true) == per(1, 0, 3, 0, 84, 0, 0, 0));
    // Rows 3, 0, 5; hidden 4, inner 6, gated: bytes 2 8 (2 4 + 3 6) = 416, weights 2 experts 3 4 6 2 B = 288,
    // flop 2 3 4 6 8 = 1152. Not gated: two matrices.
    const std::array<std::int64_t, 3> rows = {3, 0, 5};
    CHECK(expert_counts(rows, 4, 6, true) == per(1, 2, 8, 0, 416, 0, 288, 1152));
    CHECK(expert_counts(rows, 4, 6, false) == per(1, 2, 8, 0, 320, 0, 192, 768));
    CHECK(round_counts(3, 4) == per(1, 0, 3, 0, 48, 0, 0, 0));
    // 6 rows summed to 3, 4 wide: 2 4 9 = 72 B.
    CHECK(combine_counts(6, 3, 4) == per(1, 0, 3, 6, 72, 0, 0, 0));
    CHECK(residual_counts(3, 4) == per(1, 0, 3, 0, 72, 0, 0, 0));
    CHECK(dense_counts(3, 4, 5) == per(1, 0, 3, 0, 54, 0, 40, 120));
    CHECK(attention_counts(3, 7, 9) == per(1, 0, 3, 0, 7, 0, 0, 9));
    CHECK(with_cache(residual_counts(3, 4), Bytes(70)) == per(1, 0, 3, 0, 72, 2, 0, 0));
    for (const PerQuantity& none :
         {gate_counts(0, 4, 5), select_counts(0, 5, 2), order_counts(0, 2, 5, 2), moved_counts(0, 4, true),
          expert_counts({}, 4, 6, true), round_counts(0, 4), combine_counts(0, 0, 4), residual_counts(0, 4),
          dense_counts(0, 4, 5), attention_counts(0, 0, 0)})
        CHECK(none == PerQuantity{});
}

TEST_CASE("a law's time is the sum of what a call counts", "[cost]") {
    // residual of 300 tokens, 4 wide: 12 us launch (the 12th), 300 ns, 7200 B at 0.1 ns, 6200 B past the cache at 1 ns:
    // 12 + 0.3 + 0.72 + 6.2 us.
    const KernelsProfile k = simple_laws(per(0, 0, 0, 0, 1e-10, 1e-9, 0, 0));
    CHECK(kernel_time(k, Operation::add_residual, residual_counts(300, 4)).value() == Approx(19.22e-6));
    CHECK(kernel_time(k, Operation::add_residual, residual_counts(0, 4)).value() == 0);
}

TEST_CASE("stages take the laws of the operations that they are made of", "[cost]") {
    Scenario s = tiny(2, 8);
    const StageCost roofline(s);
    s.profile.kernels = simple_laws();
    const StageCost timed(s);
    const std::array<std::int64_t, 2> rows = {3, 5};
    // Launches: gate 1 us; select 2 + order by rank 4; pack 5; expert: unpack 10 + experts 7 + round 8, and the sums 9;
    // unpack 10; combine 9; residual 12. Rows: 1 ns each, in every operation.
    CHECK(timed.gate(8).value() == Approx(1.008e-6));
    CHECK(timed.select(8).value() == Approx(6.016e-6));
    CHECK(timed.pack(8).value() == Approx(5.008e-6));
    CHECK(timed.expert(rows).value() == Approx(25.024e-6));
    CHECK(timed.sum_up(8, 8).value() == Approx(9.008e-6));
    CHECK(timed.unpack(8).value() == Approx(10.008e-6));
    CHECK(timed.combine(16, 8).value() == Approx(9.008e-6));
    CHECK(timed.residual(8).value() == Approx(12.008e-6));
    CHECK(timed.grows_with_experts());
    // Every choice to its expert: order by destination; fp8 has its own packing.
    s.dispatch.dedup = Dedup::none;
    s.dispatch.dtype = Dtype::fp8;
    CHECK(StageCost(s).select(8).value() == Approx(5.016e-6));
    CHECK(StageCost(s).pack(8).value() == Approx(6.008e-6));
    CHECK(StageCost(s).expert(rows).value() == Approx(26.024e-6));
    // What is named goes before, and what is not there is as without laws.
    s.model.expert_kernel = roofline_kernel;
    CHECK(StageCost(s).expert(rows) == roofline.expert(rows));
    s = tiny(2, 8);
    s.profile.kernels = simple_laws();
    s.profile.kernels.laws.erase(s.profile.kernels.laws.begin() + 1);
    CHECK(StageCost(s).select(8) == roofline.select(8));
}

TEST_CASE("laws are written as they are read", "[config]") {
    Profile p = ideal_profile();
    p.kernels = simple_laws(per(0, 0, 0, 0, 1.25e-11, 0, 0, 0));
    p.kernels.overlap = OverlapProfile{{1.5, "test"}, {2, "test"}};
    const auto j = to_json(p);
    CHECK(parse_profile(j, "profile").kernels == p.kernels);
    CHECK(j["kernels"]["laws"][0]["seconds_per"].dump() == R"({"call":"1e-06s","row":"1e-09s","byte":"1.25e-11s"})");
    const auto message = [&](const char* pointer, const nlohmann::json& value) {
        nlohmann::json broken = j;
        broken[nlohmann::json::json_pointer(pointer)] = value;
        try {
            parse_profile(broken, "profile");
        } catch (const InputError& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    CHECK(message("/kernels/laws/1/operation", "gate_logits") ==
          "profile: $.kernels.laws[1].operation: found \"gate_logits\", expected an operation that no law before it is "
          "of");
    CHECK(message("/kernels/laws/0/seconds_per/byte", "-1ns").find("$.kernels.laws[0].seconds_per.byte: found") !=
          std::string::npos);
    CHECK(message("/kernels/laws/0/seconds_per", nlohmann::json::object()).find("expected a time above 0") !=
          std::string::npos);
    CHECK(message("/kernels/laws/0/seconds_per/bytes", "1ns").find("did you mean \"byte\"?") != std::string::npos);
}

TEST_CASE("costs are found again, and none is negative", "[measure]") {
    // 2 us a call, 10 ns a row, 0.1 ns a byte, of tables of several widths.
    std::vector<PerQuantity> counts;
    std::vector<Seconds> measured;
    for (const std::int64_t hidden : {64, 256, 1024})
        for (const std::int64_t rows : {1, 10, 100, 1000, 10000}) {
            counts.push_back(residual_counts(rows, hidden));
            measured.emplace_back(2e-6 + 1e-8 * static_cast<double>(rows) + 1e-10 * counts.back()[4]);
        }
    const PerQuantity costs = least_costs(counts, measured);
    CHECK(costs[0] == Approx(2e-6));
    CHECK(costs[2] == Approx(1e-8));
    CHECK(costs[4] == Approx(1e-10));
    // One reading that took twice as long bends nothing.
    measured[7] = 2.0 * measured[7];
    const PerQuantity robust = least_costs(counts, measured);
    CHECK(robust[0] == Approx(2e-6).epsilon(0.05));
    CHECK(robust[4] == Approx(1e-10).epsilon(0.05));
    // Times that fall with the rows: what fits best with nothing negative is a constant.
    const PerQuantity falling =
        least_costs({residual_counts(1, 64), residual_counts(100, 64), residual_counts(1000, 64)},
                    {Seconds(3e-6), Seconds(2.9e-6), Seconds(2.8e-6)});
    CHECK(falling[0] == Approx(2.9e-6).epsilon(0.01));
    CHECK(falling[2] == 0);
    CHECK(falling[4] == 0);
}

TEST_CASE("a law is held against shapes that it was not fitted to", "[measure]") {
    // Shape b takes 10% longer than the law of a and c says; times of b are 1.1 of what others predict: 1 / 1.1 - 1.
    std::vector<TimedCall> calls;
    for (const std::string shape : {"a", "b", "c"})
        for (const std::int64_t rows : {10, 100, 1000, 10000}) {
            const auto counts = residual_counts(rows, 64);
            calls.push_back(timed_call(Operation::add_residual, shape, counts,
                                       (1e-6 + 1e-8 * static_cast<double>(rows)) * (shape == "b" ? 1.1 : 1)));
        }
    calls.push_back(timed_call(Operation::pack, "a", moved_counts(1, 64, false), 1e-6));  // too few for a law
    const auto laws = fit_kernels(calls, {Bytes(1'000'000'000)}, "a core", "2026-11-23");
    REQUIRE(laws.size() == 1);
    CHECK(laws[0].fit.rows == 12);
    CHECK(laws[0].fit.held_out == 12);
    CHECK(laws[0].fit.worst == Approx(1 - 1 / 1.1).epsilon(0.02));
    REQUIRE(laws[0].fit.residuals.size() == 21);
    CHECK(laws[0].fit.residuals.front() == Approx(1).epsilon(0.05));
    CHECK(laws[0].fit.residuals.back() == Approx(1.1).epsilon(0.05));
}
