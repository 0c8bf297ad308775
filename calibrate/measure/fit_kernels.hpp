#pragma once
// Fits of the laws of operations (config/kernel_profile.hpp) to timed calls.
#include <string>
#include <vector>

#include "calibrate/measure/time_kernels.hpp"

namespace moesim {

// Two designs were weighed. One: launch + max(flop / (rate * efficiency(shape)), bytes / rate), the figures by
// Levenberg and Marquardt's method as for GPU kernels. The other: a sum of costs a thing that is done. A core does one
// after the other, so that a sum is what happens; the fit is linear, has one solution and needs no start, and what it
// gives never falls with more of anything. The second is simpler, and is taken.

// Costs x >= 0 with the least sum of rho(sum_q x_q counts_q / measured - 1); rho is that of fit.hpp with a scale of 5%.
// Only what occurs can have a cost; of sets of costs that fit alike, within 1% of the root mean square, the smallest is
// taken, so that none stands for noise. At least one call.
PerQuantity least_costs(const std::vector<PerQuantity>& counts, const std::vector<Seconds>& measured);

// A law for every operation with at least 4 of the timed calls, in the order of KernelOperation, with its record:
// errors are those of fits to all other shapes (of own calls where there is one shape). Of `caches`, sizes of the
// device's, a law takes the one with which it fits best, the first of those that fit alike. `described`, `date`:
// FitRecord.
std::vector<KernelLaw> fit_kernels(const std::vector<TimedCall>& timed, const std::vector<Bytes>& caches,
                                   const std::string& described, const std::string& date);

}  // namespace moesim
