#pragma once
// How long a piece of work takes on this machine.
#include <cstdint>
#include <functional>
#include <vector>

#include "calibrate/measure/stop_rule.hpp"

namespace moesim {

// Does the work so many times and says how long all of them took, by whatever clock is right for the device.
using Timed = std::function<Seconds(std::int64_t repeats)>;

// How much of the time that passed the calling thread had a core to itself.
struct CoreShare {
    Seconds on_core, passed;
};

// Timed by what the calling thread has of a core: work that it does itself, on a machine that others use as well.
// `share` is added to, and has to stay.
Timed by_core_time(std::function<void()> work, CoreShare& share);

struct LoopOptions {
    Seconds shortest{50e-6};   // of a sample: short work is repeated until it takes that long
    std::int64_t warm_up = 2;  // runs that do not count
    std::int64_t most_repeats = 1 << 20;
};

struct Timing {
    Seconds median, low, high;     // of one run, without outliers; 95% interval of the median (median_interval)
    std::int64_t repeats = 1;      // runs in each sample
    std::vector<Seconds> samples;  // of one run each, in the order in which they were taken, outliers included
    std::size_t outliers = 0;      // dropped: see outlier_bound
    bool settled = false;          // the rule's aim was reached, not its budget
};

// Samples further from the median than this many times the median distance from it are outliers: 5 standard deviations
// of a normal distribution (Leys et al., "Detecting outliers", J. Exp. Soc. Psychol. 49, 2013, take 2.5 and 3; times of
// computers have longer tails).
inline constexpr double outlier_bound = 5 * 1.4826;

// Checks, warms up, takes samples until the rule says so, and sums them up. Throws InternalError where the work cannot
// be timed: a clock that gives no positive times.
Timing measure(const Timed& work, const StopRule& rule, const LoopOptions& options = {});

// The median of samples without outliers, and what was dropped. At least one sample.
Timing summed_up(std::vector<Seconds> samples);

}  // namespace moesim
