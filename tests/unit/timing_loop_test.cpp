// The timing loop, on a clock whose readings are written out here.
#include "calibrate/measure/timing_loop.hpp"

#include "base/error.hpp"
#include "support/catch.hpp"

using namespace moesim;

namespace {

// Takes the next of the written-out times for each call, per run, and counts runs; the last one goes on for ever.
struct FakeClock {
    std::vector<double> readings;
    std::size_t next = 0;
    std::int64_t runs = 0;
    std::vector<std::int64_t> calls = {};
    Timed timed() {
        return [this](std::int64_t repeats) {
            runs += repeats;
            calls.push_back(repeats);
            const double one = readings[std::min(next++, readings.size() - 1)];
            return Seconds(one * static_cast<double>(repeats));
        };
    }
};

std::vector<Seconds> seconds(const std::vector<double>& values) {
    std::vector<Seconds> s;
    for (const double v : values) s.emplace_back(v);
    return s;
}

}  // namespace

TEST_CASE("the median's interval by order statistics", "[measure]") {
    // n = 6: x[0] and x[5] miss the median with P(X <= 0) = 1/64 = 0.0156 on each side, x[1] and x[4] would with
    // P(X <= 1) = 7/64 = 0.109; 0.025 is allowed.
    CHECK(median_interval(6, 0.95) == std::pair<std::size_t, std::size_t>{0, 5});
    // n = 9: P(X <= 1) = 10/512 = 0.0195, P(X <= 2) = 46/512 = 0.0898: x[1] and x[7] miss with 0.0195 on each side.
    CHECK(median_interval(9, 0.95) == std::pair<std::size_t, std::size_t>{1, 7});
    // n = 20: P(X <= 5) = 0.0207, P(X <= 6) = 0.0577: x[5] and x[14].
    CHECK(median_interval(20, 0.95) == std::pair<std::size_t, std::size_t>{5, 14});
    // n = 3: the extremes miss with 1/8 on each side, but there are no others.
    CHECK(median_interval(3, 0.95) == std::pair<std::size_t, std::size_t>{0, 2});
    CHECK(median_interval(1, 0.95) == std::pair<std::size_t, std::size_t>{0, 0});
    // n = 2500: 1250 - 1.96 25 = 1201.0.
    CHECK(median_interval(2500, 0.95) == std::pair<std::size_t, std::size_t>{1201, 1298});
}

TEST_CASE("samples are taken until the median's interval is narrow", "[measure]") {
    // The first two readings are of the warm-up. Of 6 to 8 samples the interval reaches from x[0] = 0.98 to 1.02; of 9
    // from x[1] = 0.995 to x[7] = 1.005, within 1% of 1.
    const MedianWithin rule(0.01, Seconds(1e9), 6);
    FakeClock clock{{1, 1, 1.02, 0.98, 1.0, 1.005, 0.995, 1.0, 1.0, 1.0, 1.0}};
    const Timing t = measure(clock.timed(), rule);
    CHECK(t.settled);
    CHECK(t.repeats == 1);
    CHECK(t.samples.size() == 9);
    CHECK(t.median.value() == 1.0);
    // Two runs to warm up, one to see how long a run takes, nine samples.
    CHECK(clock.runs == 12);
}

TEST_CASE("samples end with the budget", "[measure]") {
    // 2 runs to warm up and 1 of 1 s, then samples of 1 and 3 s: 3 + 1 + 3 = 7 s spent, which is the budget.
    const MedianWithin rule(0.01, Seconds(7));
    FakeClock clock{{1, 1, 1, 3, 1, 3, 1}};
    const Timing t = measure(clock.timed(), rule);
    CHECK_FALSE(t.settled);
    CHECK(t.samples.size() == 2);
    CHECK(t.median.value() == 2.0);
    // Never with one sample, however long it takes; at `most` samples whatever they are.
    CHECK(MedianWithin(0.01, Seconds(1)).after(seconds({5}), Seconds(9)) == Verdict::more);
    CHECK(MedianWithin(0.01, Seconds(1e9), 6, 3).after(seconds({5, 6, 7}), Seconds(9)) == Verdict::out_of_time);
}

TEST_CASE("short work is repeated until the clock can tell", "[measure]") {
    // 1 us a run: 1, then 1.2 * 50 = 60 but at most 16 times as many, 16; then 1.2 * 50 / 16 = 3.75 times: 60, which
    // takes 60 us and is long enough.
    FakeClock clock{{1e-6}};
    const Timing t = measure(clock.timed(), MedianWithin(0.01, Seconds(1), 6));
    CHECK(t.repeats == 60);
    CHECK(clock.calls[0] == 2);
    CHECK(clock.calls[1] == 1);
    CHECK(clock.calls[2] == 16);
    CHECK(clock.calls[3] == 60);
    CHECK(t.median.value() == Approx(1e-6));
    FakeClock stopped{{0}};
    CHECK_THROWS_AS(measure(stopped.timed(), MedianWithin(0.01, Seconds(1))), InternalError);
}

TEST_CASE("outliers are dropped and counted, and kept among the samples", "[measure]") {
    // Median 10.5, distances 0.5 0.5 1.5 1.5 2.5 89.5: median of these 1.5, bound 7.413 * 1.5 = 11.1: only 100 goes. Of
    // 8 9 10 11 12 the median is 10.
    const Timing t = summed_up(seconds({9, 100, 11, 8, 12, 10}));
    CHECK(t.outliers == 1);
    CHECK(t.median.value() == 10);
    CHECK(t.samples.size() == 6);
    CHECK(t.samples[1].value() == 100);
    CHECK(t.low.value() == 8);
    CHECK(t.high.value() == 12);
    // Most of them equal: nothing is known of their spread, nothing dropped.
    CHECK(summed_up(seconds({1, 1, 1, 1, 2})).outliers == 0);
}
