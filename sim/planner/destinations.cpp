#include "planner/destinations.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "planner/affinity.hpp"
#include "planner/annealing.hpp"
#include "planner/load_balance.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

constexpr std::uint64_t destinations_purpose = 0x646573;
constexpr std::int64_t proposals_each = 500;
// Temperatures, in tokens that choose an expert on average.
constexpr double hot = 0.1, cold = 0.004;

}  // namespace

double remote_destinations(const RoutingTrace& trace, const Placement& placement, Dispatch dispatch) {
    const double elsewhere = 1 - 1 / static_cast<double>(placement.positions());
    std::vector<unsigned char> met(placement.positions());
    double sum = 0;
    for (std::size_t l = 0; l < trace.layers; ++l)
        for (std::size_t t = 0; t < trace.tokens; ++t) {
            std::fill(met.begin(), met.end(), static_cast<unsigned char>(0));
            for (const ExpertIndex e : trace.at(t, l))
                if (e != no_expert) met[placement.position(LayerId(l), e)] = 1;
            const ExpertIndex before = dispatch == Dispatch::coherent && l > 0 ? trace.at(t, l - 1)[0] : no_expert;
            if (before != no_expert) met[placement.position(LayerId(l - 1), before)] = 0;
            const auto there = static_cast<double>(std::count(met.begin(), met.end(), 1));
            sum += before != no_expert ? there : there * elsewhere;
        }
    const std::size_t all = trace.tokens * trace.layers;
    return all > 0 ? sum / static_cast<double>(all) : 0;
}

PlannerResult destinations_plan(const PlannerProblem& problem, const DestinationOptions& options, const Effort& effort,
                                const SearchProgress& progress) {
    const Stopwatch watch;
    const WorkloadCounts& w = problem.workload;
    if (!w.trace) throw InputError("placements of few destinations: found no tokens, expected a routing trace");
    const std::size_t positions = problem.positions.count();
    PlannerProblem even = problem;
    even.workload.experts = (w.experts + positions - 1) / positions * positions;
    even.workload.load = Matrix<double>(w.layers, even.workload.experts);
    for (std::size_t l = 0; l < w.layers; ++l)
        std::copy(w.load.row(l).begin(), w.load.row(l).end(), even.workload.load.row(l).begin());
    const Matrix<std::uint32_t> start = table_of(balanced_swaps_plan(even, {}).placement);
    const auto cut = [&](const Matrix<std::uint32_t>& place) {
        Matrix<std::uint32_t> table(w.layers, w.experts);
        for (std::size_t l = 0; l < w.layers; ++l) std::copy_n(place.row(l).begin(), w.experts, table.row(l).begin());
        return Placement(table, positions);
    };

    Placement best = cut(start);
    double value = remote_destinations(*w.trace, best, options.dispatch);
    if (progress) progress(value, std::nullopt);
    if (positions > 1 && w.tokens > 0) {
        ConnectivityState state(*w.trace, options.dispatch, start, positions);
        LoadBudget budget(even.workload.load, start, positions, options.load_limit);
        const double degree =
            static_cast<double>(w.tokens) * static_cast<double>(w.top_k) / static_cast<double>(even.workload.experts);
        Cooling cooling{hot * degree, cold * degree, 0, {}};
        cooling.proposals = effort.iterations.value_or(
            effort.seconds ? std::numeric_limits<std::int64_t>::max()
                           : proposals_each * static_cast<std::int64_t>(w.layers * even.workload.experts));
        if (effort.seconds) {
            const double begin = watch.elapsed().value(), seconds = std::max(1e-9, *effort.seconds - begin);
            cooling.passed = [&watch, begin, seconds] { return (watch.elapsed().value() - begin) / seconds; };
        }
        RandomStream random(stream_key(effort.seed, destinations_purpose), 0);
        anneal(state, budget, cooling, random);
        Placement found = cut(state.place());
        const double now = remote_destinations(*w.trace, found, options.dispatch);
        if (now < value) value = now, best = std::move(found);
        if (progress) progress(value, std::nullopt);
    }
    const char* objective = options.dispatch == Dispatch::classical
                                ? "remote destinations of a token and layer, classical dispatch"
                                : "remote destinations of a token and layer, context-coherent dispatch";
    return {std::move(best), objective, value, std::nullopt, watch.elapsed()};
}

}  // namespace moesim
