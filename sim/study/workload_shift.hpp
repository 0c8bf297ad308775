#pragma once
// How unlike a judged workload is to the one that placements were learned from.
#include <span>

#include "base/matrix.hpp"
#include "config/trace/trace.hpp"

namespace moesim {

// Total variation distance of two loads' shares: half the sum over the experts of |share of a - share of b|, 0 to 1,
// mean over the layers; a layer that either leaves idle counts 0. Both [layer][expert]; throws InternalError where
// they differ in shape.
double load_distance(const Matrix<double>& a, const Matrix<double>& b);

// What load_distance shows by chance between samples of `learned` and `judged` tokens of one routing, estimated from
// the trace that was learned from: its blocks of tokens by turns, so that a text that stays on its subject counts as
// the few samples that it is. A distance between halves of n / 2 tokens each shrinks as sqrt(1/n1 + 1/n2) does.
double distance_by_chance(const RoutingTrace& learned, double judged_tokens);

struct WorkloadShift {
    double distance = 0, by_chance = 0;
    // Twice what chance explains, and enough to matter: a twentieth of the choices go elsewhere.
    [[nodiscard]] bool unlike() const { return distance > 0.05 && distance > 2 * by_chance; }
};

}  // namespace moesim
