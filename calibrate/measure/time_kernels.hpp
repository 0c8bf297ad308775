#pragma once
// Times calls of operations on a backend.
#include <functional>
#include <string>
#include <vector>

#include "calibrate/measure/kernel_cases.hpp"
#include "calibrate/measure/timing_loop.hpp"

namespace moesim {

// Timed by the device's own clock, between two moments of the stream.
Timed by_events(kernels::Stream& stream, std::function<void()> work);

struct TimedCall {
    KernelOperation operation = KernelOperation::pack;
    std::string shape;
    PerQuantity counts{};
    Timing timing;
};

struct SkippedCalls {
    KernelOperation operation = KernelOperation::pack;
    std::string reason;
    std::size_t calls = 0;
};

struct KernelTimes {
    std::vector<TimedCall> calls;
    std::vector<SkippedCalls> skipped;
    CoreShare share;  // of a backend that works on the calling thread
};

struct KernelTiming {
    double share = 0.01;      // MedianWithin
    Seconds budget{300};      // wall-clock time of everything, about: what is left is shared out to the calls to come
    Seconds longest_call{2};  // a call that will take longer, by a smaller one of its operation, is skipped
    bool on_core = false;
    std::int64_t memory = 0;  // bytes: a call that needs more is skipped
};

// Times by the device's own clock, or where the backend's work is done by the calling thread (`on_core`) by what that
// has of a core. In the order of the cases, which ascends in tokens; `progress` is given the share of them that is
// done, after each.
KernelTimes time_kernels(kernels::Backend& backend, const std::vector<KernelCase>& cases, const KernelTiming& options,
                         const std::function<void(double)>& progress);

// "operation,shape,call,..,flop,repeats,sample,seconds", a line for each sample, with all its digits.
std::string samples_csv(const KernelTimes& times);

}  // namespace moesim
