#pragma once
// A profile fitted to pipelines that were run for real (moesim.run/1).
//
// Links and operations timed one at a time leave out what ranks do to each other in a pipeline: they begin an exchange
// at different moments, and wait for a core to notice that a message is there.
#include <functional>
#include <string>
#include <vector>

#include "calibrate/validate/validate_run.hpp"
#include "config/profile.hpp"

namespace moesim {

// What simulations of scenarios say. [scenario]
using Simulate = std::function<std::vector<SimulatedStages>(const std::vector<Scenario>&)>;

struct RunFit {
    Profile profile;
    std::vector<std::string> notes;
};

// `base` with
//   - efficiency and overhead of the classes of links that the runs' messages take, by least squares over the
//   logarithms
//     of predicted / measured (fit.hpp) of dispatch and return, each the mean over ranks of the median over repeats;
//   - the laws of operations times measured / predicted of their stage (the median over runs, `kernels` only: a stage
//     that follows from a roofline stays as it is);
// and as `residuals` of both the quantiles of measured / predicted of their stages, a repeat each, by a fit to all
// other runs, as much wider as a run to come is less certain than those: what such a prediction is off by. Sources say
// so, with `date`.
//
// Throws InputError for less than three runs, runs whose topologies differ, and runs without messages.
RunFit fit_runs(const Profile& base, const std::vector<MeasuredRun>& runs, const Simulate& simulate,
                const std::string& date);

}  // namespace moesim
