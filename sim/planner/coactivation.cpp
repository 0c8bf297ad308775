#include "planner/coactivation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "base/random.hpp"
#include "planner/graph_partition.hpp"
#include "planner/placement_columns.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

// Experts of a layer into groups of bounded size: METIS's partition, then single moves, of least loss where a bound is
// missed, and of any gain. [experts]
std::vector<std::uint32_t> cluster(const Matrix<double>& together, const std::vector<std::size_t>& experts,
                                   const std::vector<double>& share, const std::vector<GroupSize>& size,
                                   double imbalance, std::uint64_t seed) {
    WeightedGraph graph(Matrix<std::int32_t>(experts.size(), 1, 1));
    for (std::size_t i = 0; i < experts.size(); ++i)
        for (std::size_t j = i + 1; j < experts.size(); ++j)
            if (together(experts[i], experts[j]) > 0) graph.join(i, j, together(experts[i], experts[j]));
    auto group = partition_graph(graph, share, imbalance, seed);
    std::vector<std::size_t> held(share.size());
    for (const std::uint32_t g : group) ++held[g];
    for (;;) {
        bool amiss = false;
        for (std::size_t g = 0; g < held.size(); ++g)
            amiss = amiss || held[g] < size[g].least || held[g] > size[g].most;
        std::size_t mover = experts.size();
        std::uint32_t to = 0;
        double best = 1e-9;
        for (std::size_t i = 0; i < experts.size(); ++i) {
            std::vector<double> pull(share.size());
            for (const auto& e : graph.edges(i)) pull[group[e.to]] += e.weight;
            const std::uint32_t from = group[i];
            for (std::uint32_t g = 0; g < held.size(); ++g) {
                if (g == from || held[g] >= size[g].most || held[from] <= size[from].least) continue;
                // While sizes are amiss, only what mends one: from a group of too many, or to one of too few.
                if (amiss && held[from] <= size[from].most && held[g] >= size[g].least) continue;
                const double gain = pull[g] - pull[from];
                if (mover == experts.size() ? amiss || gain > best : gain > best) mover = i, to = g, best = gain;
            }
        }
        if (mover == experts.size()) return group;
        --held[group[mover]];
        ++held[to];
        group[mover] = to;
    }
}

// One layer: copies, and what they do to loads.
class Copies {
  public:
    Copies(const PlannerProblem& problem, std::size_t layer, const std::vector<std::uint32_t>& home)
        : problem_(problem), load_(problem.workload.load.row(layer)), at_(home.size()),
          held_(problem.positions.count()) {
        for (std::size_t e = 0; e < home.size(); ++e) at_[e] = {home[e]}, ++held_[home[e]];
    }

    // room: [position], copies that its memory still holds.
    void add(std::vector<std::size_t>& room) {
        for (;;) {
            const auto load = loads();
            const auto heavy = static_cast<std::uint32_t>(std::max_element(load.begin(), load.end()) - load.begin());
            std::size_t hot = at_.size();
            for (std::size_t e = 0; e < at_.size(); ++e)
                if (at_[e].count(heavy) > 0 && (hot == at_.size() || each(e) > each(hot))) hot = e;
            if (hot == at_.size()) return;
            const auto& node = problem_.positions.node;
            std::set<std::uint32_t> nodes;
            for (const std::uint32_t p : at_[hot]) nodes.insert(node[p]);
            std::uint32_t best = heavy;
            for (std::uint32_t p = 0; p < held_.size(); ++p) {
                if (held_[p] >= problem_.slots || room[p] == 0 || at_[hot].count(p) > 0) continue;
                const auto rank = [&](std::uint32_t q) { return std::pair(nodes.count(node[q]), load[q]); };
                if (best == heavy || rank(p) < rank(best)) best = p;
            }
            if (best == heavy) return;
            const double copies = static_cast<double>(at_[hot].size());
            if (!(load[best] + load_[hot] / (copies + 1) < load[heavy] * (1 - 1e-12))) return;
            at_[hot].insert(best);
            ++held_[best];
            --room[best];
        }
    }

    [[nodiscard]] const std::vector<std::set<std::uint32_t>>& at() const { return at_; }

  private:
    [[nodiscard]] double each(std::size_t e) const { return load_[e] / static_cast<double>(at_[e].size()); }
    [[nodiscard]] std::vector<double> loads() const {
        std::vector<double> load(held_.size());
        for (std::size_t e = 0; e < at_.size(); ++e)
            for (const std::uint32_t p : at_[e]) load[p] += each(e);
        return load;
    }

    const PlannerProblem& problem_;
    std::span<const double> load_;
    std::vector<std::set<std::uint32_t>> at_;  // [expert]
    std::vector<std::size_t> held_;            // [position]
};

std::vector<std::uint32_t> homes(const PlannerProblem& problem, const CoactivationOptions& options, std::size_t layer,
                                 std::uint64_t seed) {
    const std::size_t experts = problem.workload.experts, positions = problem.positions.count();
    const auto& together = problem.workload.together[layer];
    std::vector<std::vector<std::uint32_t>> members(problem.positions.nodes());
    for (std::uint32_t p = 0; p < positions; ++p) members[problem.positions.node[p]].push_back(p);
    // A node keeps as many experts as it has positions at least, if there are so many.
    std::vector<double> share;
    std::vector<GroupSize> size;
    for (const auto& m : members) {
        share.push_back(static_cast<double>(m.size()) / static_cast<double>(positions));
        size.push_back({experts >= positions ? m.size() : 0, m.size() * problem.slots});
    }
    std::vector<std::size_t> all(experts);
    std::iota(all.begin(), all.end(), std::size_t{0});
    const auto node = cluster(together, all, share, size, options.node_imbalance, seed);
    std::vector<std::uint32_t> home(experts);
    for (std::size_t n = 0; n < members.size(); ++n) {
        std::vector<std::size_t> here;
        for (const std::size_t e : all)
            if (node[e] == n) here.push_back(e);
        const std::size_t k = members[n].size(), down = here.size() / k, up = (here.size() + k - 1) / k;
        const GroupSize each{down - std::min(down, options.delta), std::min(problem.slots, up + options.delta)};
        const auto group = cluster(together, here, std::vector<double>(k, 1 / static_cast<double>(k)),
                                   std::vector<GroupSize>(k, each), 1.05, seed);
        for (std::size_t i = 0; i < here.size(); ++i) home[here[i]] = members[n][group[i]];
    }
    return home;
}

}  // namespace

PlannerResult coactivation_plan(const PlannerProblem& problem, const CoactivationOptions& options,
                                const Effort& effort) {
    const Stopwatch watch;
    const WorkloadCounts& w = problem.workload;
    const std::size_t positions = problem.positions.count();
    if (positions * problem.slots < w.experts)
        throw InputError(
            fmt::format("co-activation: found {} slots on each of {} positions, expected room for {} experts",
                        problem.slots, positions, w.experts));
    std::vector<std::vector<std::uint32_t>> home;
    std::vector<std::size_t> room(positions, w.layers * problem.slots);
    if (problem.memory && problem.expert_bytes.value() > 0)
        room.assign(positions, static_cast<std::size_t>(problem.memory->value() / problem.expert_bytes.value()));
    for (std::size_t l = 0; l < w.layers; ++l) {
        home.push_back(homes(problem, options, l, stream_key(effort.seed, 73, l)));
        for (const std::uint32_t p : home.back())
            if (room[p]-- == 0)
                throw InputError(
                    fmt::format("co-activation: found memory of {} bytes on position {}, expected it for "
                                "more experts: sizes are not made to fit it",
                                problem.memory->value(), p));
    }
    std::vector<std::vector<std::vector<std::uint32_t>>> replicas(w.layers);
    double pairs = 0, apart = 0;
    for (std::size_t l = 0; l < w.layers; ++l) {
        Copies copies(problem, l, home[l]);
        copies.add(room);
        const auto& at = copies.at();
        for (std::size_t a = 0; a < w.experts; ++a) {
            replicas[l].emplace_back(at[a].begin(), at[a].end());
            for (std::size_t b = a + 1; b < w.experts; ++b) {
                pairs += w.together[l](a, b);
                if (std::none_of(at[a].begin(), at[a].end(), [&](std::uint32_t p) { return at[b].count(p) > 0; }))
                    apart += w.together[l](a, b);
            }
        }
    }
    return {Placement(std::move(replicas), positions), "share of pairs of choices that no position holds both of",
            pairs > 0 ? apart / pairs : 0, std::nullopt, watch.elapsed()};
}

}  // namespace moesim
