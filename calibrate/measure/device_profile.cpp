#include "calibrate/measure/device_profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/version.hpp"
#include "calibrate/measure/fit_kernels.hpp"
#include "calibrate/rounding.hpp"

namespace moesim {
namespace {

using namespace kernels;
using kernels::Matrix;  // not the one of counts

constexpr double aim = 0.01, quick_aim = 0.03;  // of the median's interval
constexpr Seconds budget{240}, quick_budget{30};
constexpr Seconds longest_call{2}, quick_longest_call{0.25};

// Figures that are no operation of a layer.
struct BaseFigures {
    BytesPerSecond copy;
    FlopsPerSecond product;
    Seconds launch;
};

class BaseTimer {
  public:
    BaseTimer(Backend& backend, const MeasuredDevice& device, bool quick)
        : backend_(backend), stream_(backend.make_stream()), device_(device),
          rule_(quick ? quick_aim : aim, Seconds(quick ? 1 : 5)) {}

    // Read and written, of what no cache holds.
    BytesPerSecond copy() {
        const std::int64_t bytes = std::max<std::int64_t>(64 << 20, 2 * device_.caches.front().value());
        Array<std::uint8_t> from(backend_, bytes), to(backend_, bytes);
        stream_->fill_bytes(from.view().data, 1, bytes);
        const Seconds time = timed([&] { stream_->copy(to.view().data, from.view().data, bytes); });
        return BytesPerSecond(four_digits(2 * static_cast<double>(bytes) / time.value()));
    }
    // Of a product of bf16 tables that is large and square.
    FlopsPerSecond product() {
        const std::int64_t n = device_.square;
        const std::vector<float> ones(static_cast<std::size_t>(n * n), 0.5F);
        const Matrix a = upload(backend_, *stream_, Scalar::bf16, n, n, ones);
        const Matrix b = upload(backend_, *stream_, Scalar::bf16, n, n, ones);
        Matrix c(backend_, Scalar::fp32, n, n);
        const Seconds time = timed([&] { backend_.operations().gate_logits(*stream_, a.view(), b.view(), c.view()); });
        return FlopsPerSecond(four_digits(2.0 * std::pow(static_cast<double>(n), 3) / time.value()));
    }
    // The least that any call takes.
    Seconds launch() {
        Matrix a(backend_, Scalar::bf16, 1, 16);
        stream_->fill_bytes(a.view().data, 0, 32);
        const auto row = a.view();
        return Seconds(
            four_digits(timed([&] { backend_.operations().add_residual(*stream_, row, row, row); }).value()));
    }

  private:
    Seconds timed(std::function<void()> work) {
        return measure(device_.on_core ? by_core_time(std::move(work), share_) : by_events(*stream_, std::move(work)),
                       rule_)
            .median;
    }

    Backend& backend_;
    std::unique_ptr<Stream> stream_;
    const MeasuredDevice& device_;
    MedianWithin rule_;
    CoreShare share_;
};

// The best rate of an operation's products among the timed calls; 0 without.
double best_rate(const std::vector<TimedCall>& calls, KernelOperation operation) {
    double best = 0;
    for (const TimedCall& c : calls)
        if (c.operation == operation)
            best = std::max(best, c.counts[static_cast<std::size_t>(KernelQuantity::flop)] / c.timing.median.value());
    return best;
}

LinkProfile unmeasured_link(const char* what) {
    const std::string source =
        fmt::format("Not measured: the wire's own, without any software. {} are measured by ranks under mpirun.", what);
    return {{1.0, source}, {Bytes(0), source}, {Seconds(0), source}, std::nullopt};
}

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

}  // namespace

DeviceMeasurement measure_device(Backend& backend, const MeasuredDevice& device, const KernelGrid& grid,
                                 const MeasureOptions& options) {
    DeviceMeasurement result;
    ClockWatch clock;
    clock.note(device.clock_mhz());
    options.progress("machine", 0);
    BaseTimer timer(backend, device, options.quick);
    const BaseFigures base{timer.copy(), timer.product(), timer.launch()};

    KernelTiming timing;
    timing.share = options.quick ? quick_aim : aim;
    timing.budget = options.quick ? quick_budget : budget;
    timing.longest_call = options.quick ? quick_longest_call : longest_call;
    timing.on_core = device.on_core;
    timing.memory = device.usable.value();
    const std::int64_t cold = 2 * device.caches.front().value();
    result.times = time_kernels(backend, kernel_cases(grid, cold, timing.memory), timing, [&](double share) {
        clock.note(device.clock_mhz());
        options.progress("operations", share);
    });

    const std::string versions =
        fmt::format("moesim {}, backend {}: {}", version(), backend.name(), backend.description());
    const std::string how = fmt::format("Measured on {}, {} ({}).", device.device, options.date, versions);

    Profile& p = result.profile;
    if (options.base) p = *options.base;
    p.collectives = {};
    p.experts = {};
    p.name = options.name.empty() ? device.profile : options.name;
    p.device = device.device;
    p.memory_capacity = device.memory;
    p.memory_reserved = device.reserved;
    p.memory_bandwidth = {base.copy, how + " A copy of what no cache holds, read and written."};
    p.memory_efficiency = {1.0, "The bandwidth is one that was attained."};
    p.launch = {base.launch, how + " The sum of two rows of 16 values: the least that a call takes."};
    p.peak_bf16 = Sourced<FlopsPerSecond>{
        base.product, how + fmt::format(" The product of two bf16 tables of {} x {}.", device.square, device.square)};
    p.peak_fp8.reset();
    p.multiprocessors = device.multiprocessors;
    p.dense = {{1.0, "The peak is one that such products attained."}, device.tile_m, device.tile_n, std::nullopt};
    const double experts = best_rate(result.times.calls, KernelOperation::expert_forward) / base.product.value();
    p.grouped = {{four_digits(std::clamp(experts, 1e-3, 1.0)), how + " The fastest call of the experts' products."},
                 device.tile_m,
                 device.tile_n,
                 std::nullopt};
    p.attention_efficiency = {1.0, "Not measured: that of other products, which attention will not surpass."};
    if (!options.base) {
        p.nvlink = unmeasured_link("Links within a node");
        p.nic = unmeasured_link("Links between nodes");
        p.pcie = unmeasured_link("PCIe links");
    }

    KernelsProfile& k = p.kernels;
    k = {};
    k.device = device.device;
    k.versions = versions;
    k.date = options.date;
    k.laws = fit_kernels(result.times.calls, device.caches, device.device + "; " + versions, options.date);
    clock.note(device.clock_mhz());
    k.clock = clock.said(device.governor);
    if (device.on_core)
        k.clock += fmt::format("; times are a core's, which was ours {} of the time",
                               percent(result.times.share.on_core / result.times.share.passed));

    result.notes.push_back(
        fmt::format("measured  memory {:.1f} GB/s, products {:.1f} GFLOP/s, a call {:.2f} us; clock {}",
                    base.copy.value() * 1e-9, base.product.value() * 1e-9, base.launch.value() * 1e6, k.clock));
    for (const KernelLaw& law : k.laws)
        result.notes.push_back(
            fmt::format("fitted    {}: {} calls, spread {}; held-out shapes: median {}, p90 {}, worst {} of {}",
                        name(law.operation), law.fit.rows, percent(law.fit.spread), percent(law.fit.median),
                        percent(law.fit.p90), percent(law.fit.worst), law.fit.held_out));
    for (const SkippedCalls& s : result.times.skipped)
        result.notes.push_back(fmt::format("left out  {}: {} calls: {}", name(s.operation), s.calls, s.reason));
    std::size_t samples = 0, outliers = 0, unsettled = 0;
    for (const TimedCall& c : result.times.calls) {
        samples += c.timing.samples.size();
        outliers += c.timing.outliers;
        unsettled += c.timing.settled ? 0 : 1;
    }
    result.notes.push_back(fmt::format(
        "samples   {} of {} calls, of which {} dropped as outliers; {} calls ended with their time before the "
        "median's interval was within {}",
        samples, result.times.calls.size(), outliers, unsettled, percent(timing.share)));
    return result;
}

}  // namespace moesim
