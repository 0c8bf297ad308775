// MoETuner's first program: clusters of equal load.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>

#include "planner/longest_first.hpp"
#include "planner/moetuner.hpp"
#include "planner/placement_columns.hpp"

namespace moesim {
namespace {

std::vector<double> sums(std::span<const double> load, const std::vector<std::uint32_t>& place, std::size_t clusters) {
    std::vector<double> sum(clusters);
    for (std::size_t e = 0; e < load.size(); ++e) sum[place[e]] += load[e];
    return sum;
}

// How many experts a cluster may have. Throws InputError, as moetuner_plan says.
GroupSize cluster_size(const PlannerProblem& problem, const MoetunerOptions& options, std::size_t clusters) {
    const std::size_t experts = problem.workload.experts;
    if (options.even) {
        if (clusters == 0 || experts % clusters != 0)
            throw InputError(
                fmt::format("moetuner: found {} experts for {} clusters, expected a multiple", experts, clusters));
        return {experts / clusters, experts / clusters};
    }
    if (options.clusters_per_position != 1 || experts < clusters)
        throw InputError(
            fmt::format("moetuner: found {} experts for {} uneven clusters on {} GPUs, expected one "
                        "cluster a GPU and as many experts or more",
                        experts, clusters, problem.positions.count()));
    return {1, std::min(problem.slots, experts - clusters + 1)};
}

double deviation(const std::vector<double>& sum, double mean) {
    return std::accumulate(sum.begin(), sum.end(), 0.0, [&](double d, double s) { return d + std::abs(s - mean); });
}

// Beyond it there are too many sets of experts to try.
constexpr std::size_t most_tried = 12;

// The clusters of least deviation, by a dynamic program over sets of experts; nothing where sizes leave none. A solver
// that is stopped early would do worse, and differ from machine to machine.
std::optional<std::vector<std::uint32_t>> least_deviation(std::span<const double> load, std::size_t clusters,
                                                          GroupSize size) {
    const std::size_t sets = std::size_t{1} << load.size();
    const double mean = std::accumulate(load.begin(), load.end(), 0.0) / static_cast<double>(clusters);
    std::vector<double> cost(sets, IntegerProgram::infinity);  // of a set as one cluster
    for (std::size_t set = 1; set < sets; ++set) {
        double sum = 0;
        for (std::size_t e = 0; e < load.size(); ++e)
            if ((set >> e & 1U) != 0) sum += load[e];
        const auto count = static_cast<std::size_t>(std::popcount(set));
        if (count >= size.least && count <= size.most) cost[set] = std::abs(sum - mean);
    }
    Matrix<double> least(clusters + 1, sets, IntegerProgram::infinity);  // of a set as so many clusters
    Matrix<std::size_t> last(clusters + 1, sets);                        // the cluster of its lowest expert then
    least(0, 0) = 0;
    for (std::size_t c = 1; c <= clusters; ++c)
        for (std::size_t set = 1; set < sets; ++set)
            for (std::size_t part = set; part != 0; part = (part - 1) & set)
                if ((part & (~set + 1) & set) != 0 && least(c - 1, set ^ part) + cost[part] < least(c, set)) {
                    least(c, set) = least(c - 1, set ^ part) + cost[part];
                    last(c, set) = part;
                }
    if (std::isinf(least(clusters, sets - 1))) return std::nullopt;
    std::vector<std::uint32_t> place(load.size());
    std::size_t set = sets - 1;
    for (std::size_t c = clusters; c > 0; set ^= last(c, set), --c)
        for (std::size_t e = 0; e < load.size(); ++e)
            if ((last(c, set) >> e & 1U) != 0) place[e] = static_cast<std::uint32_t>(c - 1);
    return place;
}

}  // namespace

ExpertClusters moetuner_clusters(const PlannerProblem& problem, const MoetunerOptions& options,
                                 const ProgramEffort& effort) {
    const WorkloadCounts& w = problem.workload;
    const std::size_t clusters = options.clusters_per_position * problem.positions.count();
    const GroupSize size = cluster_size(problem, options, clusters);
    ExpertClusters result{clusters, Matrix<std::uint32_t>(w.layers, w.experts),
                          Matrix<std::uint32_t>(w.layers, clusters)};
    const Matrix<std::uint32_t> first = longest_first(w.load, clusters);
    for (std::size_t l = 0; l < w.layers; ++l) {
        const auto load = w.load.row(l);
        const double total = std::accumulate(load.begin(), load.end(), 0.0);
        const double mean = total / static_cast<double>(clusters);
        IntegerProgram program;
        std::vector<std::size_t> all(w.experts);
        std::iota(all.begin(), all.end(), std::size_t{0});
        const PlacementColumns x(program, {all}, clusters);
        x.require_sizes(program, std::vector<GroupSize>(clusters, size));
        x.break_symmetry(program, std::vector<std::size_t>(clusters, 0));
        const std::size_t first_deviation = program.columns().size();
        for (std::size_t c = 0; c < clusters; ++c) {
            const std::size_t d = program.add({fmt::format("d_l{}_c{}", l, c), 0, IntegerProgram::infinity, 1, false});
            for (const double sign : {1.0, -1.0}) {  // d >= sign (T - mean)
                std::vector<IntegerProgram::Term> terms{{d, 1}};
                for (std::size_t e = 0; e < w.experts; ++e)
                    if (load[e] != 0) terms.push_back({x.at(0, e, c), -sign * load[e]});
                program.require("deviation", fmt::format("l{}_c{}_{}", l, c, sign > 0 ? "above" : "below"),
                                -sign * mean, std::move(terms), IntegerProgram::infinity);
            }
        }
        options.files.write(program, fmt::format("clusters-l{}", l));

        SolveOptions search = effort.part(options.clustering_time / static_cast<double>(w.layers - l));
        std::vector<std::vector<std::uint32_t>> start{{first.row(l).begin(), first.row(l).end()}};
        std::optional<std::vector<std::uint32_t>> least;
        if (w.experts <= most_tried) least = least_deviation(load, clusters, size);
        if (least) start[0] = *least;
        rename_groups(start, std::vector<std::size_t>(clusters, 0));
        search.start.resize(program.columns().size());
        x.put(search.start, start);
        const auto start_sums = sums(load, start[0], clusters);
        for (std::size_t c = 0; c < clusters; ++c) search.start[first_deviation + c] = std::abs(start_sums[c] - mean);
        const Solution s = solve(program, search);
        result.solved = result.solved && (least || s.optimal);
        const auto place = x.place(s.x)[0];
        std::copy(place.begin(), place.end(), result.cluster.row(l).begin());
        for (const std::uint32_t c : place) ++result.size(l, c);
        result.deviation += deviation(sums(load, place, clusters), mean);
        result.deviation_bound += std::max(0.0, least ? deviation(start_sums, mean) : s.bound);
        result.load += total;
    }
    return result;
}

}  // namespace moesim
