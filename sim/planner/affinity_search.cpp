#include "planner/affinity_search.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "planner/affinity_state.hpp"
#include "planner/annealing.hpp"
#include "planner/cluster_labels.hpp"
#include "planner/crossing_bound.hpp"
#include "planner/load_balance.hpp"
#include "planner/load_measures.hpp"
#include "planner/partition_program.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

constexpr std::uint64_t affinity_purpose = 0x616666;
constexpr std::int64_t proposals_each = 20'000;
// Shares of the effort: the first makes the search anytime, the last gains most.
constexpr std::array<double, 3> rounds = {0.04, 0.16, 0.8};
// Temperatures, in tokens that leave an expert on average: above the first nearly all swaps are taken, below the last
// hardly any (found on the traces of tests/reproduction/placement_table).
constexpr double hot = 0.55, cold = 0.03;

void add_second_choices(const WorkloadCounts& w, double weight, std::vector<Matrix<double>>& flow) {
    if (weight == 0 || !w.trace || w.top_k < 2) return;
    for (std::size_t t = 0; t < w.trace->tokens; ++t)
        for (std::size_t l = 0; l + 1 < w.layers; ++l) {
            const auto from = w.trace->at(t, l), to = w.trace->at(t, l + 1);
            for (const auto& [a, b] : {std::pair{from[0], to[1]}, std::pair{from[1], to[0]}})
                if (a != no_expert && b != no_expert) flow[l](a, b) += weight;
        }
}

// With experts that nobody chooses, so that each position holds equally many and a swap with one is a move.
Matrix<double> padded(const Matrix<double>& m, std::size_t rows, std::size_t cols) {
    Matrix<double> p(rows, cols);
    for (std::size_t r = 0; r < m.rows(); ++r) std::copy(m.row(r).begin(), m.row(r).end(), p.row(r).begin());
    return p;
}

struct Exact {
    Matrix<std::uint32_t> place;
    double least = 0;  // of all placements, without a limit on loads
};

// The exact program without the limit and, where what that gives is too uneven, with the limit in every layer, which is
// stricter than on the mean. Nothing where it does not apply; `place` is empty where only the bound is had.
std::optional<Exact> exactly(const PlannerProblem& problem, const AffinityOptions& options,
                             const Matrix<double>& cost) {
    const WorkloadCounts& w = problem.workload;
    const Positions& positions = problem.positions;
    const std::size_t nodes = positions.nodes(), each = positions.count() / nodes;
    const PartitionSize size{w.experts, nodes, each};
    if (!options.exact || size.work(options.cost.flat()) > 1e6) return std::nullopt;
    std::vector<std::uint32_t> order(positions.count());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return positions.node[a] < positions.node[b]; });
    for (std::size_t i = 0; i < order.size(); ++i)
        if (positions.node[order[i]] != i / each) return std::nullopt;  // nodes of different sizes
    const auto at_positions = [&](Matrix<std::uint32_t> place) {
        for (std::size_t l = 0; l < place.rows(); ++l)
            for (std::uint32_t& p : place.row(l)) p = order[p];
        return place;
    };
    Exact exact{at_positions(least_crossing(w.first, size, options.cost, {})), 0};
    exact.least = crossing_share(w.first, exact.place, cost);
    if (load_imbalance(w.load, Placement(exact.place, positions.count())) <= options.load_limit) return exact;
    exact.place = {};
    try {
        exact.place = at_positions(least_crossing(w.first, size, options.cost, GroupLimit{w.load, options.load_limit}));
    } catch (const InputError&) {  // some layer cannot keep it; the mean may
    }
    return exact;
}

double bound_of(const PlannerProblem& problem, const AffinityOptions& options) {
    const std::vector<std::uint32_t>& node = problem.positions.node;
    std::vector<std::size_t> held(problem.positions.nodes());
    for (const std::uint32_t n : node) ++held[n];
    return crossing_bound(problem.workload.first, (problem.workload.experts + node.size() - 1) / node.size(),
                          *std::max_element(held.begin(), held.end()), options.cost);
}

}  // namespace

PlannerResult affinity_plan(const PlannerProblem& problem, const AffinityOptions& options, const Effort& effort,
                            const SearchProgress& progress) {
    const Stopwatch watch;
    const WorkloadCounts& w = problem.workload;
    const std::size_t positions = problem.positions.count();
    const std::size_t experts = (w.experts + positions - 1) / positions * positions;
    PlannerProblem even = problem;
    even.workload.experts = experts;
    even.workload.load = padded(w.load, w.layers, experts);
    const Matrix<std::uint32_t> start = table_of(balanced_swaps_plan(even, {}).placement);
    const Matrix<double> cost = crossing_costs(problem.positions, options.cost);
    std::vector<Matrix<double>> flow = w.first;
    add_second_choices(w, options.second_choices, flow);
    for (Matrix<double>& f : flow) f = padded(f, experts, experts);
    std::vector<Matrix<double>> first = w.first;
    for (Matrix<double>& f : first) f = padded(f, experts, experts);

    double tokens = 0, dearest = 0;
    for (const Matrix<double>& f : flow)
        for (const double v : f.values()) tokens += v;
    for (const double c : cost.values()) dearest = std::max(dearest, c);
    const AffinityState initial(flow, start, cost);
    const double each = tokens / static_cast<double>(std::max<std::size_t>(flow.size(), 1) * experts);
    const double degree = each * dearest / initial.unit();  // integers of the state

    Matrix<std::uint32_t> best = start;
    double value = crossing_share(first, start, cost);
    const std::optional<Exact> exact = exactly(problem, options, cost);
    std::optional<double> bound;
    if (options.prove) bound = bound_of(problem, options);
    if (exact) {
        bound = exact->least;
        if (exact->place.rows() > 0) {
            best = exact->place;
            value = crossing_share(first, best, cost);
        }
    }
    if (progress) progress(value, bound);
    std::int64_t all = effort.iterations.value_or(std::numeric_limits<std::int64_t>::max());
    if (!effort.iterations && !effort.seconds) all = proposals_each * static_cast<std::int64_t>(w.layers * experts);
    for (std::size_t round = 0; round < rounds.size() && positions > 1 && degree > 0 && value > bound.value_or(0);
         ++round) {
        AffinityState state = initial;
        LoadBudget budget(even.workload.load, start, positions, options.load_limit);
        RandomStream random(stream_key(effort.seed, affinity_purpose), round);
        Cooling cooling{hot * degree, cold * degree, 0, {}};
        cooling.proposals = static_cast<std::int64_t>(rounds[round] * static_cast<double>(all)) + 1;
        if (effort.seconds) {
            const double begin = watch.elapsed().value();
            const double seconds = std::max(1e-9, rounds[round] * *effort.seconds);
            cooling.passed = [&watch, begin, seconds] { return (watch.elapsed().value() - begin) / seconds; };
        }
        anneal(state, budget, cooling, random);
        Matrix<std::uint32_t> found = state.place();
        if (options.cost.flat()) found = label_clusters(first, found, 1, positions, options.cost);
        const double share = crossing_share(first, found, cost);
        if (share < value) value = share, best = std::move(found);
        if (progress) progress(value, bound);
    }
    Matrix<std::uint32_t> place(w.layers, w.experts);
    for (std::size_t l = 0; l < w.layers; ++l) std::copy_n(best.row(l).begin(), w.experts, place.row(l).begin());
    return {Placement(place, positions), crossing_objective, value, bound, watch.elapsed()};
}

}  // namespace moesim
