#include "planner/free_slots.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "planner/layer_time_state.hpp"

namespace moesim {
namespace {

constexpr std::size_t tried = 8;  // experts for each slot: copies of those that nobody chooses gain nothing

LayerTimeState::Copies with_one_more(LayerTimeState::Copies copies, std::uint32_t position) {
    copies.insert(std::upper_bound(copies.begin(), copies.end(), position), position);
    return copies;
}

// Those with the most choices a copy, of equal ones the lower id first.
std::vector<std::size_t> busiest(const LayerTimeState& state, std::span<const double> load, std::uint32_t position) {
    std::vector<std::pair<double, std::size_t>> candidates;
    for (std::size_t e = 0; e < state.experts(); ++e)
        if (!std::binary_search(state.copies(e).begin(), state.copies(e).end(), position))
            candidates.emplace_back(-load[e] / static_cast<double>(state.copies(e).size()), e);
    const std::size_t n = std::min(tried, candidates.size());
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(n), candidates.end());
    std::vector<std::size_t> experts;
    experts.reserve(n);
    for (std::size_t i = 0; i < n; ++i) experts.push_back(candidates[i].second);
    return experts;
}

// An expert with all its copies at a position, if there is one: the lowest of those with the fewest.
std::optional<std::size_t> alone_at(const std::vector<LayerTimeState::Copies>& copies, std::uint32_t position) {
    std::optional<std::size_t> found;
    for (std::size_t e = 0; e < copies.size(); ++e)
        if (copies[e].front() == position && copies[e].back() == position &&
            (!found || copies[e].size() < copies[*found].size()))
            found = e;
    return found;
}

// load: [expert], choices.
void fill(LayerTimeState& state, std::span<const double> load, std::size_t slots) {
    for (std::uint32_t p = 0; p < state.positions(); ++p)
        while (state.at(p).size() < slots) {
            const double before = state.value().time;
            double least = std::numeric_limits<double>::infinity();
            std::size_t best = state.experts();
            for (const std::size_t e : busiest(state, load, p)) {
                state.set(e, with_one_more(state.copies(e), p));
                const double time = state.value().time;
                state.undo();
                if (time < least) least = time, best = e;
            }
            if (!(least < before)) best = alone_at(state.all_copies(), p).value_or(best);
            if (best == state.experts()) break;  // every expert is there already
            state.set(best, with_one_more(state.copies(best), p));
            state.value();
            state.keep();
        }
}

bool can_be_full(const PlannerProblem& problem, const Placement& placement) {
    const bool some_free = problem.slots * placement.positions() > placement.experts();
    const Bytes full = problem.expert_bytes * static_cast<std::int64_t>(placement.layers() * problem.slots);
    return some_free && !(problem.memory && full > *problem.memory);
}

}  // namespace

Placement with_full_slots(const PlannerProblem& problem, const LayerTimeModel& model, const Placement& placement) {
    if (!can_be_full(problem, placement)) return placement;
    const std::size_t layers = placement.layers();
    std::vector<std::vector<LayerTimeState::Copies>> filled(layers);
    tbb::parallel_for(std::size_t{0}, layers, [&](std::size_t l) {
        LayerTimeState state(model, LayerId(l), copies_of(placement, LayerId(l)));
        fill(state, problem.workload.load.row(l), problem.slots);
        filled[l] = state.all_copies();
    });
    return {std::move(filled), placement.positions()};
}

Placement with_doubled_experts(const PlannerProblem& problem, const Placement& placement) {
    if (!can_be_full(problem, placement)) return placement;
    std::vector<std::vector<LayerTimeState::Copies>> filled;
    for (std::size_t l = 0; l < placement.layers(); ++l) {
        auto& copies = filled.emplace_back(copies_of(placement, LayerId(l)));
        std::vector<std::size_t> held(placement.positions());
        for (const auto& of : copies)
            for (const std::uint32_t p : of) ++held[p];
        for (std::uint32_t p = 0; p < held.size(); ++p)
            for (auto e = alone_at(copies, p); e && held[p] < problem.slots; e = alone_at(copies, p)) {
                copies[*e].push_back(p);
                ++held[p];
            }
    }
    return {std::move(filled), placement.positions()};
}

}  // namespace moesim
