#pragma once
// What every planner is given, and what it gives back.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/matrix.hpp"
#include "base/units.hpp"
#include "placement/placement.hpp"
#include "planner/workload_counts.hpp"

namespace moesim {

// The positions of one expert-parallel group, as planners see them.
struct Positions {
    std::vector<std::uint32_t> node;  // [position]: nodes numbered from 0 in the order of their first position
    Matrix<double> seconds_per_byte;  // [from][to]: of one message alone, its bytes only; 0 on the diagonal
    [[nodiscard]] std::size_t count() const { return node.size(); }
    [[nodiscard]] std::size_t nodes() const;
};

struct PlannerProblem {
    WorkloadCounts workload;
    Positions positions;
    // Copies of experts that a position may hold in each layer. Methods without replication place exactly
    // experts / positions on each where that is whole, and never more than `slots`.
    std::size_t slots = 1;
    Bytes expert_bytes;           // weights of one expert, on one position
    std::optional<Bytes> memory;  // of a position, for all layers' experts together; nothing: no limit
};

// Whether no position holds more experts, of all layers, than it has memory for.
bool fits(const PlannerProblem& problem, const Placement& placement);
// Throws CheckFailed where some position holds more experts, of all layers, than it has memory for.
void check_fits(const PlannerProblem& problem, const Placement& placement);

// How long a method may search. What is limited by iterations alone gives the same placement on every machine. With
// both, iterations limit `search`.
struct Effort {
    std::uint64_t seed = 0;
    std::optional<double> seconds;
    std::optional<std::int64_t> iterations;
};

// How a search is doing: its best value so far and a proven bound, in the units of its own objective.
using SearchProgress = std::function<void(double value, std::optional<double> bound)>;

struct PlannerResult {
    Placement placement;
    std::string objective;               // what `value` counts, with its unit
    double value = 0;                    // of the placement; less is better
    std::optional<double> bound;         // proven: no placement that the method allows has less
    Seconds took{};                      // wall time
    bool stopped = false;                // by its limits, before an integer program of it was solved
    std::optional<Seconds> simulated{};  // of a run over learned tokens, where the method chose by such runs
};

}  // namespace moesim
