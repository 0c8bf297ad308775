#include "planner/load_balance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "planner/load_measures.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

// Experts that a position may still take, in this layer and in all that follow. The others' part is not spoilt as long
// as sum over positions of min(room, layers to come * slots) stays experts * layers to come or more (a flow condition:
// of all sets of layers, that of all is the tightest one).
class Room {
  public:
    Room(std::size_t positions, std::size_t experts, std::size_t layers, std::size_t slots, std::size_t memory)
        : room_(positions, std::min(memory, layers * slots)), experts_(experts), slots_(slots), to_come_(layers) {}

    [[nodiscard]] bool enough() const { return spare(to_come_) >= 0; }
    void next_layer() {
        --to_come_;
        held_.assign(room_.size(), 0);
        spare_ = spare(to_come_);
    }
    [[nodiscard]] bool may_take(std::size_t p) const {
        return held_[p] < slots_ && room_[p] > 0 && (room_[p] > to_come_ * slots_ || spare_ > 0);
    }
    void take(std::size_t p) {
        if (room_[p] <= to_come_ * slots_) --spare_;
        --room_[p];
        ++held_[p];
    }

  private:
    [[nodiscard]] std::ptrdiff_t spare(std::size_t layers) const {
        std::size_t sum = 0;
        for (const std::size_t r : room_) sum += std::min(r, layers * slots_);
        return static_cast<std::ptrdiff_t>(sum) - static_cast<std::ptrdiff_t>(layers * experts_);
    }
    std::vector<std::size_t> room_, held_;  // [position]
    std::size_t experts_, slots_, to_come_;
    std::ptrdiff_t spare_ = 0;
};

Matrix<std::uint32_t> longest_first(const Matrix<double>& load, std::size_t positions, Room room) {
    Matrix<std::uint32_t> place(load.rows(), load.cols());
    std::vector<std::size_t> order(load.cols());
    for (std::size_t l = 0; l < load.rows(); ++l) {
        room.next_layer();
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return load(l, a) > load(l, b); });
        std::vector<double> at(positions);
        for (const std::size_t e : order) {
            std::size_t best = positions;
            for (std::size_t p = 0; p < positions; ++p)
                if (room.may_take(p) && (best == positions || at[p] < at[best])) best = p;
            if (best == positions) throw InternalError("longest first: an expert fits nowhere");
            room.take(best);
            at[best] += load(l, e);
            place(l, e) = static_cast<std::uint32_t>(best);
        }
    }
    return place;
}

std::size_t even_count(const PlannerProblem& p) {
    return (p.workload.experts + p.positions.count() - 1) / p.positions.count();
}

Matrix<std::uint32_t> even_longest_first(const PlannerProblem& p) {
    const std::size_t each = even_count(p), layers = p.workload.layers;
    return longest_first(p.workload.load, p.positions.count(),
                         {p.positions.count(), p.workload.experts, layers, each, layers * each});
}

PlannerResult result(const PlannerProblem& p, const Matrix<std::uint32_t>& table, std::size_t most,
                     const Stopwatch& watch) {
    Placement placement(table, p.positions.count());
    const double value = load_imbalance(p.workload.load, placement);
    return {std::move(placement), imbalance_objective, value,
            imbalance_bound(p.workload.load, p.positions.count(), most), watch.elapsed()};
}

// One layer; place: [expert].
void swap_until_even(std::span<const double> load, std::size_t positions, std::span<std::uint32_t> place) {
    std::vector<double> at(positions);
    for (std::size_t e = 0; e < load.size(); ++e) at[place[e]] += load[e];
    for (;;) {
        const auto heavy = static_cast<std::size_t>(std::max_element(at.begin(), at.end()) - at.begin());
        double best = at[heavy];
        std::size_t from = load.size(), to = load.size();
        for (std::size_t a = 0; a < load.size(); ++a) {
            if (place[a] != heavy) continue;
            for (std::size_t b = 0; b < load.size(); ++b) {
                const double shift = load[a] - load[b];
                if (place[b] == heavy || shift <= 0) continue;
                const double larger = std::max(at[heavy] - shift, at[place[b]] + shift);
                if (larger < best) best = larger, from = a, to = b;
            }
        }
        // Rounding may call a swap of nothing an improvement.
        if (from == load.size() || !(best < at[heavy] * (1 - 1e-12))) return;
        const double shift = load[from] - load[to];
        at[heavy] -= shift;
        at[place[to]] += shift;
        std::swap(place[from], place[to]);
    }
}

}  // namespace

PlannerResult longest_first_plan(const PlannerProblem& problem, const Effort&) {
    const Stopwatch watch;
    return result(problem, even_longest_first(problem), even_count(problem), watch);
}

PlannerResult memory_limited_plan(const PlannerProblem& problem, const Effort&) {
    const Stopwatch watch;
    const std::size_t layers = problem.workload.layers, experts = problem.workload.experts;
    const std::size_t slots = std::min(problem.slots, experts);
    std::size_t memory = layers * slots;
    if (problem.memory && problem.expert_bytes.value() > 0)
        memory = static_cast<std::size_t>(problem.memory->value() / problem.expert_bytes.value());
    const Room room(problem.positions.count(), experts, layers, slots, memory);
    if (!room.enough())
        throw InputError(fmt::format(
            "load balance with memory limits: found room for {} experts on each of {} positions, {} of a layer, "
            "expected it for {} layers of {}",
            memory, problem.positions.count(), slots, layers, experts));
    return result(problem, longest_first(problem.workload.load, problem.positions.count(), room), slots, watch);
}

PlannerResult balanced_swaps_plan(const PlannerProblem& problem, const Effort&) {
    const Stopwatch watch;
    Matrix<std::uint32_t> place = even_longest_first(problem);
    for (std::size_t l = 0; l < place.rows(); ++l)
        swap_until_even(problem.workload.load.row(l), problem.positions.count(), place.row(l));
    return result(problem, place, even_count(problem), watch);
}

}  // namespace moesim
