#include "planner/eplb.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>

#include "base/error.hpp"
#include "planner/load_measures.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

// Sorts and heaps run on keys: the bits of a non-negative float, which are ordered as floats are, above an index.
std::uint64_t key(float weight, std::size_t index) {
    return (std::uint64_t{std::bit_cast<std::uint32_t>(weight)} << 32) | index;
}
// The heaviest first, and of equals the one with the lowest index.
std::uint64_t falling_key(float weight, std::size_t index) {
    return (std::uint64_t{~std::bit_cast<std::uint32_t>(weight)} << 32) | index;
}
float weight_of(std::uint64_t k) { return std::bit_cast<float>(static_cast<std::uint32_t>(k >> 32)); }
std::size_t index_of(std::uint64_t k) { return k & 0xffffffff; }

struct Place {
    std::size_t pack = 0, rank = 0;
};

// balanced_packing of one row: items in descending order, each to the lightest pack that is not full.
class Packer {
  public:
    // place: [item]; the packs have equally many.
    void pack(std::span<const float> weight, std::size_t packs, std::vector<Place>& place) {
        const std::size_t n = weight.size(), room = n / packs;
        place.resize(n);
        if (room == 1) {
            for (std::size_t i = 0; i < n; ++i) place[i] = {i, 0};
            return;
        }
        order_.resize(n);
        for (std::size_t i = 0; i < n; ++i) order_[i] = falling_key(weight[i], i);
        std::sort(order_.begin(), order_.end());
        held_.assign(packs, 0);
        heap_.resize(packs);
        for (std::size_t p = 0; p < packs; ++p) heap_[p] = key(0, p);  // ascending: a heap
        for (const std::uint64_t o : order_) {
            const std::size_t item = index_of(o), p = index_of(heap_[0]);
            place[item] = {p, held_[p]};
            if (++held_[p] < room) {
                sink(key(weight_of(heap_[0]) + weight[item], p));
            } else {
                const std::uint64_t last = heap_.back();
                heap_.pop_back();
                if (!heap_.empty()) sink(last);
            }
        }
    }

  private:
    // The value in the place of the smallest.
    void sink(std::uint64_t value) {
        std::size_t at = 0;
        for (std::size_t child = 1; child < heap_.size(); child = 2 * at + 1) {
            if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
            if (heap_[child] >= value) break;
            heap_[at] = heap_[child];
            at = child;
        }
        heap_[at] = value;
    }
    std::vector<std::uint64_t> order_, heap_;
    std::vector<std::size_t> held_;
};

struct Replicas {
    std::vector<std::size_t> expert, rank;  // [physical]
    std::vector<std::int32_t> count;        // [expert]
    std::vector<float> share;               // [expert]: load of a copy
    std::vector<std::uint64_t> heap;        // work space
};

// replicate_experts of one row: again and again a copy of what has the heaviest ones.
void replicate(std::span<const float> weight, std::size_t physical, Replicas& c) {
    const std::size_t n = weight.size();
    c.expert.resize(physical);
    c.rank.assign(physical, 0);
    std::iota(c.expert.begin(), c.expert.begin() + static_cast<std::ptrdiff_t>(n), std::size_t{0});
    c.count.assign(n, 1);
    c.share.assign(weight.begin(), weight.end());
    if (physical == n) return;
    // The heaviest first, the first of equals first; std::greater makes a heap of the least.
    std::vector<std::uint64_t>& heap = c.heap;
    heap.resize(n);
    for (std::size_t e = 0; e < n; ++e) heap[e] = falling_key(weight[e], e);
    std::make_heap(heap.begin(), heap.end(), std::greater<>());
    for (std::size_t i = n; i < physical; ++i) {
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        const std::size_t heaviest = index_of(heap.back());
        c.expert[i] = heaviest;
        c.rank[i] = static_cast<std::size_t>(c.count[heaviest]++);
        c.share[heaviest] = weight[heaviest] / static_cast<float>(c.count[heaviest]);
        heap.back() = falling_key(c.share[heaviest], heaviest);
        std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
}

void must_divide(std::size_t whole, std::size_t parts, const char* of, const char* what) {
    if (parts == 0 || whole % parts != 0)
        throw InputError(fmt::format("EPLB: found {} {} for {} {}, expected a multiple", whole, of, parts, what));
}

void check(const Matrix<double>& load, const EplbShape& s) {
    must_divide(load.cols(), s.groups, "experts", "groups");
    must_divide(s.gpus, s.nodes, "GPUs", "nodes");
    must_divide(s.replicas, s.gpus, "physical experts", "GPUs");
    if (s.replicas < load.cols())
        throw InputError(fmt::format("EPLB: found {} physical experts, expected {} or more, one for each expert",
                                     s.replicas, load.cols()));
    for (const double w : load.values())
        if (!(w >= 0) || !std::isfinite(static_cast<float>(w)))
            throw InputError(fmt::format("EPLB: found a load of {}, expected a finite number from 0", w));
}

std::vector<std::uint32_t> positions_by_node(const Positions& positions, bool alike) {
    std::vector<std::uint32_t> order(positions.count());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return positions.node[a] < positions.node[b]; });
    const std::size_t each = order.size() / std::max<std::size_t>(positions.nodes(), 1);
    for (std::size_t i = 0; alike && i < order.size(); ++i)
        if (positions.node[order[i]] != i / each)
            throw InputError(
                "EPLB: found nodes with different counts of GPUs, expected equal ones for groups of experts");
    return order;
}

}  // namespace

EplbMaps eplb(const Matrix<double>& load, const EplbShape& given) {
    EplbShape s = given;
    if (s.nodes == 0 || s.groups % s.nodes != 0) s.groups = s.nodes = 1;
    check(load, s);
    const std::size_t layers = load.rows(), experts = load.cols(), group = experts / s.groups;
    const std::size_t node_experts = experts / s.nodes, node_physical = s.replicas / s.nodes;
    const std::size_t gpu_physical = s.replicas / s.gpus;

    EplbMaps maps{Matrix<std::int32_t>(layers, s.replicas), {}, Matrix<std::int32_t>(layers, experts)};
    Matrix<std::int32_t> rank(layers, s.replicas);
    Packer packer;
    Replicas copies;
    std::vector<Place> place;
    std::vector<float> weight, ordered(experts), group_load(s.groups), physical_load(node_physical);
    std::vector<std::size_t> expert_at(experts);  // [node order]
    for (std::size_t l = 0; l < layers; ++l) {
        weight.assign(load.row(l).begin(), load.row(l).end());
        for (float& w : weight) w += 0.0F;  // no negative zero, whose bits would be a large key
        for (std::size_t g = 0; g < s.groups; ++g)
            group_load[g] = std::accumulate(weight.begin() + static_cast<std::ptrdiff_t>(g * group),
                                            weight.begin() + static_cast<std::ptrdiff_t>((g + 1) * group), 0.0F);
        packer.pack(group_load, s.nodes, place);
        for (std::size_t e = 0; e < experts; ++e) {
            const Place p = place[e / group];
            const std::size_t at = (p.pack * (s.groups / s.nodes) + p.rank) * group + e % group;
            expert_at[at] = e;
            ordered[at] = weight[e];
        }
        for (std::size_t n = 0; n < s.nodes; ++n) {
            replicate(std::span(ordered).subspan(n * node_experts, node_experts), node_physical, copies);
            for (std::size_t i = 0; i < node_physical; ++i) physical_load[i] = copies.share[copies.expert[i]];
            packer.pack(physical_load, s.gpus / s.nodes, place);
            for (std::size_t i = 0; i < node_physical; ++i) {
                const std::size_t at = n * node_physical + place[i].pack * gpu_physical + place[i].rank;
                const std::size_t expert = expert_at[n * node_experts + copies.expert[i]];
                maps.phy2log(l, at) = static_cast<std::int32_t>(expert);
                maps.logcnt(l, expert) = copies.count[copies.expert[i]];
                rank(l, at) = static_cast<std::int32_t>(copies.rank[i]);
            }
        }
    }
    const auto& counts = maps.logcnt.values();
    const std::int32_t most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
    maps.log2phy.assign(layers, Matrix<std::int32_t>(experts, static_cast<std::size_t>(most), -1));
    for (std::size_t l = 0; l < layers; ++l)
        for (std::size_t i = 0; i < s.replicas; ++i)
            maps.log2phy[l](static_cast<std::size_t>(maps.phy2log(l, i)), static_cast<std::size_t>(rank(l, i))) =
                static_cast<std::int32_t>(i);
    return maps;
}

Placement placement_of(const EplbMaps& maps, const std::vector<std::uint32_t>& gpu_position) {
    const std::size_t each = maps.phy2log.cols() / std::max<std::size_t>(gpu_position.size(), 1);
    std::vector<std::vector<std::vector<std::uint32_t>>> replicas(maps.phy2log.rows());
    for (std::size_t l = 0; l < replicas.size(); ++l) {
        replicas[l].resize(maps.logcnt.cols());
        for (std::size_t i = 0; i < maps.phy2log.cols(); ++i)
            replicas[l][static_cast<std::size_t>(maps.phy2log(l, i))].push_back(gpu_position[i / each]);
    }
    return {std::move(replicas), gpu_position.size()};
}

EplbPlan eplb_plan(const PlannerProblem& problem, std::size_t groups) {
    const Stopwatch watch;
    const std::size_t gpus = problem.positions.count(), nodes = problem.positions.nodes();
    const bool hierarchical = nodes > 0 && groups % nodes == 0;
    const auto order = positions_by_node(problem.positions, hierarchical);
    EplbMaps maps = eplb(problem.workload.load, {problem.slots * gpus, groups, nodes, gpus});
    Placement placement = placement_of(maps, order);
    const double value = load_imbalance(problem.workload.load, placement);
    return {std::move(maps), {std::move(placement), imbalance_objective, value, 1.0, watch.elapsed()}};
}

}  // namespace moesim
