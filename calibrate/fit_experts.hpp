#pragma once
// Fits of the law of an expert kernel (cost/expert_kernel.hpp) to timed calls.
#include <optional>
#include <string>
#include <vector>

#include "calibrate/tables/measured_row.hpp"
#include "config/profile.hpp"

namespace moesim {

// A timed call, and the loads that it may have had: one for even loads, draws of skewed ones.
struct ExpertSample {
    ExpertRow row;
    std::vector<std::vector<std::int64_t>> loads;  // [draw][expert of the rank]
    Seconds measured;
};
// The calls with their loads; `draws` of skewed ones.
ExpertSample expert_sample(const ExpertRow& row, Seconds measured, std::uint64_t draws);

// The mean over the draws.
Seconds predict_sample(const ExpertKernel& kernel, const ExpertSample& sample);

// That are fitted to the calls of a kernel.
inline constexpr int expert_figures = 16;

// Where a fit starts, and what it is held to where the calls do not tell a figure: what is common to GPUs, by the
// bandwidth and the peak rate of the profile. work_overlap: above 1.
void set_starting_figures(ExpertKernel& kernel, const Profile& profile, double work_overlap);

// Least squares over the logarithms of predicted / measured, errors well above 5% by their size and not its square,
// each model shape weighing the same, and over the logarithms of the figures against their starting values, a factor of
// e counting as much as 10% in a hundredth of the calls. By Levenberg and Marquardt's method. Rounds to four digits.
ExpertKernel fit_expert_kernel(const ExpertKernel& start, const std::vector<ExpertSample>& samples);

// "hidden 7168, inner 2048, top-8 of 256": what is held out as a whole.
std::string model_shape(const ExpertRow& row);

// Of each call held out by fits to all other model shapes, predicted / measured - 1; empty with one shape only.
std::vector<double> held_out_errors(const ExpertKernel& start, const std::vector<ExpertSample>& samples);

// The best of the tile rules, each from two starts, by the median held-out error, fitted to all samples, with its
// record; nothing where there are fewer than 20 samples. `described`: device, driver and versions, as far as they are
// known; `date` as 2026-11-23.
std::optional<ExpertKernel> fitted_expert_kernel(const std::string& name, const std::string& framework, Dtype dtype,
                                                 const Profile& base, const std::vector<ExpertSample>& samples,
                                                 const std::string& described, const std::string& date);

}  // namespace moesim
