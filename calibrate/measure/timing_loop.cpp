#include "calibrate/measure/timing_loop.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "base/error.hpp"

namespace moesim {
namespace {

double middle(const std::vector<double>& sorted) {
    return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
}

void check(const LoopOptions& options) {
    if (options.warm_up < 1 || options.most_repeats < 1)
        throw InternalError("a timing loop needs a run before it counts, and at least one in a sample");
}

Seconds core_time() {
    timespec t{};
    if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0) throw InternalError("this system has no clock for a thread");
    return Seconds(static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec));
}

struct WarmUp {
    std::int64_t repeats = 1;
    Seconds spent;
};

// Runs that do not count, and how many runs of the work make a sample long enough for the clock.
WarmUp warm_up(const Timed& work, const LoopOptions& options) {
    WarmUp w;
    w.spent = work(options.warm_up);
    for (;;) {
        const Seconds took = work(w.repeats);
        w.spent += took;
        if (took >= options.shortest || w.repeats >= options.most_repeats) break;
        const double needed = took > Seconds(0) ? options.shortest / took : 16.0;
        const double more = std::clamp(1.2 * needed, 2.0, 16.0);
        w.repeats = std::min(options.most_repeats, static_cast<std::int64_t>(static_cast<double>(w.repeats) * more));
    }
    return w;
}

}  // namespace

Timed by_core_time(std::function<void()> work, CoreShare& share) {
    return [work = std::move(work), &share](std::int64_t repeats) {
        using Clock = std::chrono::steady_clock;
        const auto passed = Clock::now();
        const Seconds begin = core_time();
        for (std::int64_t i = 0; i < repeats; ++i) work();
        const Seconds took = core_time() - begin;
        share.on_core += took;
        share.passed += Seconds(std::chrono::duration<double>(Clock::now() - passed).count());
        return took;
    };
}

Timing measure(const Timed& work, const StopRule& rule, const LoopOptions& options) {
    check(options);
    const WarmUp warm = warm_up(work, options);
    std::vector<Seconds> samples;
    Seconds spent = warm.spent;
    Verdict verdict = Verdict::more;
    while (verdict == Verdict::more) {
        const Seconds took = work(warm.repeats);
        if (!(took.value() > 0)) throw InternalError("a clock that does not go on between two readings");
        spent += took;
        samples.push_back(took * (1 / static_cast<double>(warm.repeats)));
        verdict = rule.after(samples, spent);
    }
    Timing timing = summed_up(std::move(samples));
    timing.repeats = warm.repeats;
    timing.settled = verdict == Verdict::settled;
    return timing;
}

Timing summed_up(std::vector<Seconds> samples) {
    std::vector<double> sorted;
    for (const Seconds s : samples) sorted.push_back(s.value());
    std::sort(sorted.begin(), sorted.end());
    const double median = middle(sorted);
    std::vector<double> distances;
    for (const double s : sorted) distances.push_back(std::abs(s - median));
    std::sort(distances.begin(), distances.end());
    const double bound = outlier_bound * middle(distances);
    std::vector<double> kept;
    for (const double s : sorted)
        if (std::abs(s - median) <= bound) kept.push_back(s);
    // More than half of the samples alike, down to the clock's step: whatever differs would be an outlier.
    if (bound == 0) kept = sorted;
    Timing t;
    const auto [low, high] = median_interval(kept.size(), 0.95);
    t.median = Seconds(middle(kept));
    t.low = Seconds(kept[low]);
    t.high = Seconds(kept[high]);
    t.outliers = sorted.size() - kept.size();
    t.samples = std::move(samples);
    return t;
}

}  // namespace moesim
