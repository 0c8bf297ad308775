#include "planner/fixed_placements.hpp"

#include <numeric>
#include <utility>

#include "base/random.hpp"
#include "planner/load_measures.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

constexpr std::uint64_t random_placement_purpose = 0x706c6163;

// Experts of a position and layer at most.
std::size_t room(const PlannerProblem& p) {
    return (p.workload.experts + p.positions.count() - 1) / p.positions.count();
}

template <class At>
PlannerResult plan(const PlannerProblem& problem, const Stopwatch& watch, At at) {
    const std::size_t positions = problem.positions.count();
    Matrix<std::uint32_t> table(problem.workload.layers, problem.workload.experts);
    for (std::size_t l = 0; l < table.rows(); ++l)
        for (std::size_t e = 0; e < table.cols(); ++e) table(l, e) = static_cast<std::uint32_t>(at(l, e));
    Placement placement(table, positions);
    const double value = load_imbalance(problem.workload.load, placement);
    const double bound = imbalance_bound(problem.workload.load, positions, room(problem));
    return {std::move(placement), imbalance_objective, value, bound, watch.elapsed()};
}

}  // namespace

PlannerResult contiguous_plan(const PlannerProblem& problem, const Effort&) {
    const Stopwatch watch;
    return plan(problem, watch, [each = room(problem)](std::size_t, std::size_t e) { return e / each; });
}

PlannerResult round_robin_plan(const PlannerProblem& problem, const Effort&) {
    const Stopwatch watch;
    return plan(problem, watch, [n = problem.positions.count()](std::size_t, std::size_t e) { return e % n; });
}

PlannerResult random_plan(const PlannerProblem& problem, const Effort& effort) {
    const Stopwatch watch;
    const std::size_t layers = problem.workload.layers, experts = problem.workload.experts;
    Matrix<std::size_t> order(layers, experts);
    for (std::size_t l = 0; l < layers; ++l) {
        const auto row = order.row(l);
        std::iota(row.begin(), row.end(), std::size_t{0});
        RandomStream random(stream_key(effort.seed, random_placement_purpose), l);
        for (std::size_t i = experts; i > 1; --i)  // Fisher and Yates
            std::swap(row[i - 1], row[random.below(static_cast<std::uint32_t>(i))]);
    }
    return plan(problem, watch, [&, each = room(problem)](std::size_t l, std::size_t e) { return order(l, e) / each; });
}

}  // namespace moesim
