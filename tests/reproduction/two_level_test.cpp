// Where two levels win over one, and where they lose: the direction that papers report.
#include "reproduction/two_level.hpp"

#include "support/catch.hpp"

using namespace moesim::test;

namespace {

constexpr std::int64_t kib = 1 << 10, mib = 1 << 20;

}  // namespace

TEST_CASE("two levels win with small messages and lose with large ones", "[reproduction]") {
    const TwoLevel small = compare_levels(64, 64 * kib, true), large = compare_levels(64, 64 * mib, true);
    INFO(small.speedup() << " and " << large.speedup());
    CHECK(small.speedup() > 1.5);
    CHECK(large.speedup() < 1);
}

TEST_CASE("the more GPUs, the more two levels win with small messages", "[reproduction]") {
    double before = 0;
    for (const std::size_t gpus : {16U, 32U, 64U, 128U, 256U}) {
        const TwoLevel now = compare_levels(gpus, 64 * kib, false);
        INFO(gpus << " GPUs: " << now.speedup());
        CHECK(now.speedup() > before);
        before = now.speedup();
    }
    CHECK(before > 3);
}

TEST_CASE("the message size up to which two levels win grows with the GPUs", "[reproduction]") {
    // Of a GPU's whole buffer, doubled until they lose.
    const auto last_win = [](std::size_t gpus) {
        std::int64_t bytes = 16 * kib;
        while (compare_levels(gpus, bytes, false).speedup() > 1) bytes *= 2;
        return bytes / 2;
    };
    const std::int64_t few = last_win(32), many = last_win(128);
    INFO(few << " and " << many);
    CHECK(few < many);
}

TEST_CASE("the closed form is never above the simulation", "[reproduction]") {
    for (const std::int64_t bytes : {64 * kib, 16 * mib}) {
        const TwoLevel bound = compare_levels(32, bytes, false), simulated = compare_levels(32, bytes, true);
        CHECK(bound.pairwise <= simulated.pairwise * (1 + 1e-9));
        CHECK(bound.hierarchical <= simulated.hierarchical * (1 + 1e-9));
    }
}
