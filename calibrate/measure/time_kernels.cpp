#include "calibrate/measure/time_kernels.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace moesim {
namespace {

// About how long a call takes, in units that only calls of the same operation share: a byte of memory counts as much as
// ten products of a vectorised loop.
double work_of(const PerQuantity& counts) {
    const auto count = [&](KernelQuantity q) { return counts[static_cast<std::size_t>(q)]; };
    return count(KernelQuantity::flop) + 10 * (count(KernelQuantity::byte) + count(KernelQuantity::weight_byte));
}

class Timer {
  public:
    Timer(kernels::Backend& backend, const KernelTiming& options)
        : backend_(backend), stream_(backend.make_stream()), options_(options) {}

    void time(const KernelCase& c, std::size_t cases_left) {
        double& rate = seconds_a_work_[static_cast<std::size_t>(c.operation)];
        const double expected = rate * work_of(c.counts);
        if (options_.memory > 0 && c.memory > options_.memory)
            return skip(c, fmt::format("more than {:.1f} GB of memory", static_cast<double>(options_.memory) * 1e-9));
        if (expected > options_.longest_call.value())
            return skip(c, fmt::format("calls longer than {:.1f} s", options_.longest_call.value()));
        if (spent() > options_.budget) return skip(c, "no time left");
        const auto run = c.make(backend_, *stream_);
        const Seconds each = (options_.budget - spent()) * (1 / static_cast<double>(cases_left));
        const MedianWithin within(options_.share, each);
        const Until rule(
            Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(each.value())),
            within);
        // A run that does not count is one of few, where runs are long.
        LoopOptions loop;
        loop.warm_up = expected > 0.1 * options_.longest_call.value() ? 1 : 2;
        Timing timing =
            measure(options_.on_core ? by_core_time(run, times_.share) : by_events(*stream_, run), rule, loop);
        rate = timing.median.value() / work_of(c.counts);
        times_.calls.push_back({c.operation, c.shape, c.counts, std::move(timing)});
    }
    KernelTimes take() { return std::move(times_); }

  private:
    using Clock = std::chrono::steady_clock;
    [[nodiscard]] Seconds spent() const {
        return Seconds(std::chrono::duration<double>(Clock::now() - begin_).count());
    }
    void skip(const KernelCase& c, const std::string& reason) {
        for (SkippedCalls& s : times_.skipped)
            if (s.operation == c.operation && s.reason == reason) {
                ++s.calls;
                return;
            }
        times_.skipped.push_back({c.operation, reason, 1});
    }

    kernels::Backend& backend_;
    std::unique_ptr<kernels::Stream> stream_;
    KernelTiming options_;
    Clock::time_point begin_ = Clock::now();
    std::array<double, kernel_operation_names.size()> seconds_a_work_{};  // of the last call of an operation
    KernelTimes times_;
};

}  // namespace

Timed by_events(kernels::Stream& stream, std::function<void()> work) {
    return [&stream, work = std::move(work)](std::int64_t repeats) {
        const auto begin = stream.record();
        for (std::int64_t i = 0; i < repeats; ++i) work();
        return stream.record()->since(*begin);
    };
}

KernelTimes time_kernels(kernels::Backend& backend, const std::vector<KernelCase>& cases, const KernelTiming& options,
                         const std::function<void(double)>& progress) {
    Timer timer(backend, options);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        timer.time(cases[i], cases.size() - i);
        progress(static_cast<double>(i + 1) / static_cast<double>(cases.size()));
    }
    return timer.take();
}

std::string samples_csv(const KernelTimes& times) {
    std::string text =
        fmt::format("operation,shape,{},repeats,sample,seconds\n", fmt::join(kernel_quantity_names, ","));
    for (const TimedCall& c : times.calls)
        for (std::size_t i = 0; i < c.timing.samples.size(); ++i)
            text += fmt::format("{},\"{}\",{},{},{},{}\n", name(c.operation), c.shape, fmt::join(c.counts, ","),
                                c.timing.repeats, i, c.timing.samples[i].value());
    return text;
}

}  // namespace moesim
