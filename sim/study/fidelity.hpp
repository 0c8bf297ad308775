#pragma once
// How like a recorded routing another one is, in what decides simulated time.
#include <vector>

#include "base/matrix.hpp"
#include "config/trace/trace.hpp"
#include "placement/placement.hpp"
#include "workload/fit.hpp"

namespace moesim {

// Every second token: the even ones, or the odd ones. Sources stay what they are.
RoutingTrace every_second(const RoutingTrace& trace, bool odd);

// [position in one layer][position in the next]: tokens with an expert there and there, summed over adjacent layers:
// the traffic of tokens that stay where their experts were.
Matrix<double> adjacent_traffic(const RoutingTrace& trace, const Placement& placement);
// [source][position]: tokens of equal runs of the trace, one a position, with an expert there, summed over layers: the
// traffic of a dispatch from data-parallel ranks, a copy a rank.
Matrix<double> dispatch_traffic(const RoutingTrace& trace, const Placement& placement);

// |made - real| / |real| in the Frobenius norm, after scaling `made` to the same number of tokens.
double relative_distance(const Matrix<double>& made, const Matrix<double>& real, double scale);

// A figure of each layer, of a made routing and of the recorded one.
struct LayerPairs {
    std::vector<double> made, real;            // [layer]
    [[nodiscard]] double worst_error() const;  // of |made / real - 1|
    [[nodiscard]] double mean_error() const;
};

struct Fidelity {
    LayerPairs load_cv;
    LayerPairs information;  // mutual information of first choices with the layer before
    double adjacent_contiguous = 0, adjacent_optimised = 0;  // relative_distance of adjacent_traffic
    double dispatch_contiguous = 0, dispatch_optimised = 0;  // and of dispatch_traffic
};
// Positions: 8, contiguous placement and `optimised`. Both need the same layers, experts and top_k.
Fidelity compare(const RoutingTrace& made, const RoutingTrace& real, const Placement& optimised);

// Errors as fractions; the mean of several comparisons.
struct Errors {
    double load_cv_worst = 0, load_cv_mean = 0;          // over layers
    double information_worst = 0, information_mean = 0;  // over pairs of layers
    double adjacent_contiguous = 0, adjacent_optimised = 0, dispatch_contiguous = 0, dispatch_optimised = 0;
    void add(const Fidelity& f, double weight);
};

// A model is fitted to the even tokens and what it makes is held against the odd ones, and the other way round; load CV
// and information of four runs of the model are averaged first, and errors are means over these two folds. Besides: the
// half that was learned from in the place of what the model makes, which shows how much two halves differ by chance,
// and a model of popularity alone. The optimised placement is affinity_placement of the half that was learned from.
struct HeldOut {
    std::size_t tokens = 0;  // held out in each fold
    Errors recorded, fitted, popularity;
};
// Throws InputError where a half has no token with an expert in some layer.
HeldOut hold_out(const RoutingTrace& trace, FitOptions options);

}  // namespace moesim
