#include "calibrate/fit_experts.hpp"

#include <fmt/format.h>

#include <unsupported/Eigen/NonLinearOptimization>
#include <unsupported/Eigen/NumericalDiff>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "calibrate/expert_loads.hpp"
#include "calibrate/predict.hpp"
#include "calibrate/rounding.hpp"
#include "calibrate/tile_rules.hpp"
#include "calibrate/validate_table.hpp"

namespace moesim {
namespace {

constexpr double scale = 0.05, prior_weight = 0.1;
// Of the memory bandwidth, by kernels that do nothing else: what a fit starts from.
constexpr double attained = 0.86;
constexpr std::size_t fewest_samples = 20;
constexpr Eigen::Index figures = expert_figures;

// The figures of a kernel as numbers above 0.
std::array<double, figures> values_of(const ExpertKernel& k) {
    return {k.launch.value.value(),
            k.step.value.value(),
            k.far_step.value.value(),
            k.tile_rate.value.value(),
            k.row_rate.value.value(),
            k.weight_rate.value.value(),
            k.element_rate.value.value(),
            k.cache.value.as_double(),
            k.cache_gain.value,
            k.overlap.value - 1,
            k.slowdown.value,
            k.slowdown_time.value.value(),
            k.choice_time.value.value(),
            k.work_overlap.value - 1,
            k.element_slowdown.value,
            k.element_span.value.as_double()};
}

void set_values(ExpertKernel& k, const std::array<double, figures>& v) {
    k.launch.value = Seconds(std::min(v[0], 1.0)), k.step.value = Seconds(std::min(v[1], 1.0));
    k.far_step.value = Seconds(std::min(v[2], 1.0));
    k.tile_rate.value = FlopsPerSecond(std::clamp(v[3], 1e6, 1e19));
    k.row_rate.value = FlopsPerSecond(std::clamp(v[4], 1e6, 1e19));
    k.weight_rate.value = BytesPerSecond(std::clamp(v[5], 1e6, 1e15));
    k.element_rate.value = BytesPerSecond(std::clamp(v[6], 1e6, 1e15));
    k.cache.value = Bytes(std::llround(std::clamp(v[7], 1.0, 1e15)));
    k.cache_gain.value = std::clamp(v[8], 0.0, 1000.0);
    k.overlap.value = std::clamp(1 + v[9], 1.0, 100.0);
    k.slowdown.value = std::clamp(v[10], 0.0, 100.0);
    k.slowdown_time.value = Seconds(std::clamp(v[11], 1e-9, 1.0));
    k.choice_time.value = Seconds(std::min(v[12], 1.0));
    k.work_overlap.value = std::clamp(1 + v[13], 1.0, 100.0);
    k.element_slowdown.value = std::clamp(v[14], 0.0, 100.0);
    k.element_span.value = Bytes(std::llround(std::clamp(v[15], 1.0, 1e15)));
}

// What Eigen's solver asks of a problem. x: logarithms of the figures over those of the start.
struct ExpertProblem {
    using Scalar = double;
    using InputType = Eigen::VectorXd;
    using ValueType = Eigen::VectorXd;
    using JacobianType = Eigen::MatrixXd;
    enum { InputsAtCompileTime = Eigen::Dynamic, ValuesAtCompileTime = Eigen::Dynamic };

    const ExpertKernel& start;
    const std::vector<ExpertSample>& samples;
    std::vector<double> weights;  // [sample]
    double memory = 0;            // B/s: what nothing passes, whatever the fit

    [[nodiscard]] int inputs() const { return static_cast<int>(figures); }
    [[nodiscard]] int values() const { return static_cast<int>(samples.size()) + inputs(); }
    [[nodiscard]] ExpertKernel kernel(const InputType& x) const {
        auto v = values_of(start);
        for (Eigen::Index i = 0; i < figures; ++i)
            v[static_cast<std::size_t>(i)] *= std::exp(std::clamp(x[i], -10.0, 10.0));
        v[5] = std::min(v[5], memory), v[6] = std::min(v[6], memory);
        ExpertKernel k = start;
        set_values(k, v);
        return k;
    }
    int operator()(const InputType& x, ValueType& residuals) const {
        const ExpertKernel k = kernel(x);
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const double e = std::log(predict_sample(k, samples[i]) / samples[i].measured) / scale;
            residuals[static_cast<Eigen::Index>(i)] =
                weights[i] * std::copysign(scale * std::sqrt(2 * (std::sqrt(1 + e * e) - 1)), e);
        }
        const double held = prior_weight * std::sqrt(static_cast<double>(samples.size()) / 100);
        const auto n = static_cast<Eigen::Index>(samples.size());
        for (Eigen::Index i = 0; i < figures; ++i) residuals[n + i] = held * x[i];
        return 0;
    }
};

std::vector<double> weights_of(const std::vector<ExpertSample>& samples) {
    std::map<std::string, double> of_shape;
    for (const ExpertSample& s : samples) ++of_shape[model_shape(s.row)];
    std::vector<double> weights;
    weights.reserve(samples.size());
    const double even = static_cast<double>(samples.size()) / static_cast<double>(of_shape.size());
    for (const ExpertSample& s : samples) weights.push_back(std::sqrt(even / of_shape[model_shape(s.row)]));
    return weights;
}

std::vector<double> residual_quantiles(const ExpertKernel& k, const std::vector<ExpertSample>& samples) {
    std::vector<double> ratios;
    ratios.reserve(samples.size());
    for (const ExpertSample& s : samples) ratios.push_back(s.measured / predict_sample(k, s));
    return twenty_quantiles(std::move(ratios));
}

// Median over repeated calls of |reading / median of the call - 1|; 0 where none is repeated.
double spread_of(const std::vector<ExpertSample>& samples) {
    std::map<std::string, std::vector<double>> readings;
    for (const ExpertSample& s : samples)
        readings[fmt::format("{} {} {} {} {}", model_shape(s.row), s.row.tokens, s.row.ranks, s.row.tensor,
                             s.row.loads.balanced ? 0 : s.row.loads.exponent)]
            .push_back(s.measured.value());
    std::vector<double> deviations;
    for (auto& [call, times] : readings) {
        if (times.size() < 2) continue;
        std::sort(times.begin(), times.end());
        const double middle = (times[(times.size() - 1) / 2] + times[times.size() / 2]) / 2;
        for (const double t : times) deviations.push_back(t / middle - 1);
    }
    return deviations.empty() ? 0 : four_digits(summary(deviations).median);
}

}  // namespace

ExpertSample expert_sample(const ExpertRow& row, Seconds measured, std::uint64_t draws) {
    ExpertSample s{row, {}, measured};
    if (row.loads.balanced)
        s.loads = {balanced_loads(row)};
    else
        for (std::uint64_t i = 0; i < draws; ++i) s.loads.push_back(power_law_loads(row, i));
    return s;
}

Seconds predict_sample(const ExpertKernel& kernel, const ExpertSample& s) {
    Seconds sum;
    for (const auto& loads : s.loads) sum += predict_experts(kernel, s.row, loads);
    return sum * (1 / static_cast<double>(s.loads.size()));
}

std::string model_shape(const ExpertRow& r) {
    return fmt::format("hidden {}, inner {}, top-{} of {}", r.hidden, r.inner, r.top_k, r.experts);
}

void set_starting_figures(ExpertKernel& k, const Profile& profile, double work_overlap) {
    const double memory = profile.memory_bandwidth.value.value();
    const double peak = profile.peak(k.dtype)->value.value();
    // Level 2 caches by NVIDIA's datasheets: 40 MB (A100), 50 MB (H100, H800), each in two parts that hold copies of
    // what the other half of the GPU reads; 96 MB in one (L40S).
    const std::string gpu = gpu_of(profile.name);
    const double cache = gpu == "L40S" ? 96e6 : gpu == "A100" ? 20e6 : 25e6;
    set_values(k, {22e-6, 0.11e-6, 0.25e-6, 0.4 * peak, 1.2 * peak, attained * memory, 0.66 * memory, cache, 0.5, 0.9,
                   0.2, 3e-3, 1e-9, work_overlap - 1, 0.07, 500e6});
}

ExpertKernel fit_expert_kernel(const ExpertKernel& start, const std::vector<ExpertSample>& samples) {
    const ExpertProblem problem{start, samples, weights_of(samples), start.weight_rate.value.value() / attained};
    Eigen::NumericalDiff<ExpertProblem> with_differences(problem, 1e-8);
    Eigen::LevenbergMarquardt<Eigen::NumericalDiff<ExpertProblem>> solver(with_differences);
    solver.parameters.maxfev = Eigen::Index{60} * (problem.inputs() + 1);
    Eigen::VectorXd x = Eigen::VectorXd::Zero(figures);
    solver.minimize(x);
    ExpertKernel k = problem.kernel(x);
    auto v = values_of(k);
    for (double& value : v) value = four_digits(value);
    set_values(k, v);
    k.work_overlap.value = four_digits(k.work_overlap.value), k.overlap.value = four_digits(k.overlap.value);
    return k;
}

std::vector<double> held_out_errors(const ExpertKernel& start, const std::vector<ExpertSample>& samples) {
    std::set<std::string> shapes;
    for (const ExpertSample& s : samples) shapes.insert(model_shape(s.row));
    std::vector<double> errors;
    if (shapes.size() < 2) return errors;
    for (const std::string& shape : shapes) {
        std::vector<ExpertSample> others;
        for (const ExpertSample& s : samples)
            if (model_shape(s.row) != shape) others.push_back(s);
        const ExpertKernel k = fit_expert_kernel(start, others);
        for (const ExpertSample& s : samples)
            if (model_shape(s.row) == shape) errors.push_back(predict_sample(k, s) / s.measured - 1);
    }
    return errors;
}

namespace {

// Each tile rule, with products that cannot, and that can, compute while they wait for memory: between the two lies a
// hill that least squares do not get over.
std::vector<ExpertKernel> starts(const std::string& name, const std::string& framework, Dtype dtype,
                                 const Profile& base) {
    std::vector<ExpertKernel> all;
    for (const auto& rule : tile_rules(framework, dtype, gpu_of(base.name))) {
        ExpertKernel start;
        start.name = name;
        start.dtype = dtype;
        start.tiles = rule;
        for (const double work_overlap : {1.1, 1.9}) {
            set_starting_figures(start, base, work_overlap);
            all.push_back(start);
        }
    }
    return all;
}

}  // namespace

std::optional<ExpertKernel> fitted_expert_kernel(const std::string& name, const std::string& framework, Dtype dtype,
                                                 const Profile& base, const std::vector<ExpertSample>& samples,
                                                 const std::string& described, const std::string& date) {
    if (samples.size() < fewest_samples) return std::nullopt;
    std::optional<ExpertKernel> best;
    std::vector<double> least;
    double least_median = INFINITY;
    for (ExpertKernel& start : starts(name, framework, dtype, base)) {
        std::vector<double> errors = held_out_errors(start, samples);
        const ExpertKernel k = fit_expert_kernel(start, samples);
        std::vector<double> own = errors;
        if (own.empty())
            for (const ExpertSample& s : samples) own.push_back(predict_sample(k, s) / s.measured - 1);
        const double median = summary(own).median;
        if (best && median >= least_median) continue;
        best = k;
        least = std::move(errors);
        least_median = median;
    }
    const ErrorSummary s = summary(least);
    best->fit = FitRecord{described,
                          date,
                          static_cast<std::int64_t>(samples.size()),
                          static_cast<std::int64_t>(least.size()),
                          spread_of(samples),
                          four_digits(s.median),
                          four_digits(s.p90),
                          four_digits(s.max),
                          residual_quantiles(*best, samples)};
    return best;
}

}  // namespace moesim
