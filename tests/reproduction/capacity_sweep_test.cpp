// What a capacity drops, held against what it must drop on average and against a measured sweep.
#include "reproduction/capacity_sweep.hpp"

#include <cmath>

#include "reproduction/measured.hpp"
#include "support/catch.hpp"

using namespace moesim::test;

namespace {

void check_against_expectation(const std::vector<SweepCell>& cells) {
    for (const SweepCell& c : cells) {
        const Expected e = expected_drop(sweep_tokens, c.experts, c.top_k, c.capacity_factor);
        INFO(c.experts << " experts, top-" << c.top_k << ", capacity factor " << c.capacity_factor);
        CHECK(std::abs(c.drop_rate - e.mean) <= 5 * e.deviation / std::sqrt(static_cast<double>(c.routings)));
    }
}

}  // namespace

TEST_CASE("the expected drop rate, by hand", "[reproduction]") {
    // Four tokens, top-1 of two experts, CF 1: X is Binomial(4, 1/2), c = 2, max(X - 2, 0) is 1 with probability 4/16
    // and 2 with 1/16: the mean is 6/16, over N k / E = 2: 0.1875.
    // The variance of max(X - 2, 0) is 4/16 + 4/16 - (6/16)^2 = 0.359375; the bound is sqrt(2 * 0.359375) / 4.
    const Expected e = expected_drop(4, 2, 1, 1.0);
    CHECK(e.mean == Approx(0.1875));
    CHECK(e.deviation == Approx(std::sqrt(0.71875) / 4));
    // Far below the mean load everything above the capacity overflows: 1 - CF, for N k / E = 512 and c = 256.
    CHECK(expected_drop(sweep_tokens, 64, 1, 0.5).mean == Approx(0.5));
}

TEST_CASE("drop rates of independent choices are those of the binomial overflow, and the measured ones",
          "[reproduction]") {
    const auto cells = sweep(SweepNoise::gumbel, 512);
    check_against_expectation(cells);
    const auto measured = measured_capacity_sweep();
    if (measured.empty()) {
        WARN("skipped: " << measured_tables() << " is not there");
        return;
    }
    REQUIRE(measured.size() == cells.size());  // 3 counts of experts, 3 k, 7 factors
    for (const MeasuredDrop& m : measured) {
        INFO(m.experts << " experts, top-" << m.top_k << ", capacity factor " << m.capacity_factor);
        REQUIRE(m.tokens == sweep_tokens);
        bool found = false;
        for (const SweepCell& c : cells) {
            if (c.experts != m.experts || c.top_k != m.top_k || c.capacity_factor != m.capacity_factor) continue;
            found = true;
            // The measured rate is one routing: it is as far from its own mean as chance has it, up to 0.0016.
            CHECK(std::abs(c.drop_rate - m.drop_rate) <= 0.002);
        }
        CHECK(found);
    }
}

TEST_CASE("normal logits drop as much", "[reproduction]") { check_against_expectation(sweep(SweepNoise::normal, 1)); }
