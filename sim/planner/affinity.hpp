#pragma once
// Inter-layer affinity: tokens that have their first choices of two adjacent layers on one GPU stay where they are
// (Yao et al., "Exploiting Inter-Layer Expert Affinity", IPDPS 2024: ExFlow).
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/matrix.hpp"
#include "planner/problem.hpp"

namespace moesim {

// What a transition between adjacent layers costs; 0 within a position.
struct CrossingCost {
    double position = 1;  // to another position of the same node
    double node = 1;      // to another node
    [[nodiscard]] bool flat() const { return position == node; }
};

inline constexpr const char* crossing_objective = "share of first choices of adjacent layers that cross";

// [from position][to position].
Matrix<double> crossing_costs(const Positions& positions, const CrossingCost& cost);

// Of all transitions, their mean cost; by default the share that crosses positions. flow: [transition][expert][expert
// of the next layer]; place: [layer][expert].
double crossing_share(const std::vector<Matrix<double>>& flow, const Matrix<std::uint32_t>& place,
                      const Matrix<double>& cost);
// Of a placement, by the first copies of its experts.
double crossing_share(const WorkloadCounts& workload, const Placement& placement);

Matrix<std::uint32_t> table_of(const Placement& placement);  // [layer][expert]: the first copy's position

}  // namespace moesim
