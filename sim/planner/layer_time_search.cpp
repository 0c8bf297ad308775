#include "planner/layer_time_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.hpp"
#include "planner/layer_search.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

constexpr std::uint64_t search_purpose = 61;
constexpr std::int64_t proposals_each = 200;  // for an expert of a layer
constexpr std::size_t sampled = 8192;         // tokens

// Parts of the effort: downhill first, then annealed.
constexpr std::array rounds = {0.15, 0.85};

// Where annealing starts. It pays where every pair of experts comes up many times; with less effort than that,
// going downhill on the softened objective gets further (58 layers of 256 experts on 64 positions: 30,000 proposals a
// layer downhill do what 100,000 do from a tenth of a proposal's change).
double temperature(std::int64_t proposals, std::size_t experts) {
    const double visits = 2 * static_cast<double>(proposals) / static_cast<double>(experts * experts);
    return visits < 10 ? 0 : std::min(1.0, visits / 100);
}

using Layer = std::vector<LayerTimeState::Copies>;

Layer layer_of(const Placement& placement, LayerId layer) {
    Layer copies;
    for (std::size_t e = 0; e < placement.experts(); ++e) {
        const auto at = placement.replicas(layer, e);
        copies.emplace_back(at.begin(), at.end());
    }
    return copies;
}

// Copies at each position.
std::vector<std::size_t> held(const Layer& layer, std::size_t positions) {
    std::vector<std::size_t> n(positions);
    for (const auto& copies : layer)
        for (const std::uint32_t p : copies) ++n[p];
    return n;
}

// Copies that a position has memory for.
std::size_t room_of(const PlannerProblem& problem) {
    if (!problem.memory || problem.expert_bytes.value() <= 0) return problem.workload.layers * problem.workload.experts;
    return static_cast<std::size_t>(problem.memory->value() / problem.expert_bytes.value());
}

void check(const PlannerProblem& problem, const Scenario& scenario, const std::vector<Placement>& starts) {
    const std::size_t positions = static_cast<std::size_t>(scenario.parallelism.expert);
    if (starts.empty()) throw InputError("a search on layer times: found no placement to start from, expected some");
    for (const Placement& s : starts)
        if (s.layers() != problem.workload.layers || s.experts() != problem.workload.experts ||
            s.positions() != positions || problem.positions.count() != positions)
            throw InputError(fmt::format(
                "a search on layer times: found a start of {} layers, {} experts, {} positions, expected {}, {}, {}",
                s.layers(), s.experts(), s.positions(), problem.workload.layers, problem.workload.experts, positions));
}

}  // namespace

PlannerResult layer_time_plan(const PlannerProblem& problem, const Scenario& scenario, const Fabric& fabric,
                              std::vector<Placement> starts, const Effort& effort, const SearchProgress& progress) {
    const Stopwatch watch;
    check(problem, scenario, starts);
    const LayerTimeModel model(problem.workload, scenario, fabric, sampled);
    const std::size_t layers = model.layers(), positions = model.positions();

    std::vector<Layer> best;
    std::vector<double> time;
    Matrix<double> of_start(starts.size(), layers);
    std::size_t first = 0;
    double least = 0;
    for (std::size_t s = 0; s < starts.size(); ++s) {
        double sum = 0;
        for (std::size_t l = 0; l < layers; ++l)
            sum += of_start(s, l) = model.time(starts[s], LayerId(l)).total.value();
        if (s == 0 || sum < least) least = sum, first = s;
    }
    std::vector<std::size_t> total(positions);
    std::size_t most = problem.slots;
    const auto begin_with = [&](auto start_of) {
        best.clear();
        time.clear();
        total.assign(positions, 0);
        for (std::size_t l = 0; l < layers; ++l) {
            const std::size_t s = start_of(l);
            best.push_back(layer_of(starts[s], LayerId(l)));
            time.push_back(of_start(s, l));
            const auto n = held(best.back(), positions);
            for (std::size_t p = 0; p < positions; ++p) total[p] += n[p], most = std::max(most, n[p]);
        }
    };
    begin_with([&](std::size_t l) {
        std::size_t s = first;
        for (std::size_t other = 0; other < starts.size(); ++other)
            if (of_start(other, l) < of_start(s, l)) s = other;
        return s;
    });
    const std::size_t room = room_of(problem);
    if (*std::max_element(total.begin(), total.end()) > room) begin_with([&](std::size_t) { return first; });

    double bound = 0;
    std::vector<double> bounds;
    for (std::size_t l = 0; l < layers; ++l) {
        bounds.push_back(model.bound(LayerId(l), most).value());
        bound += bounds.back() / static_cast<double>(layers);
    }
    const auto mean = [&] {
        double sum = 0;
        for (const double t : time) sum += t;
        return sum / static_cast<double>(std::max<std::size_t>(layers, 1));
    };
    if (progress) progress(mean(), bound);

    std::int64_t proposals = effort.iterations.value_or(proposals_each * static_cast<std::int64_t>(model.experts()) *
                                                        static_cast<std::int64_t>(layers));
    if (layers > 0) proposals /= static_cast<std::int64_t>(layers);
    const double begun = watch.elapsed().value();
    std::vector<std::int64_t> made(layers);  // proposals of the last round
    double spent = 0;                        // parts of the effort that are over
    for (std::size_t r = 0; r < rounds.size(); ++r)
        for (std::size_t l = 0; l < layers; ++l) {
            const double share = rounds[r] / static_cast<double>(layers);
            spent += share;
            if (time[l] <= bounds[l]) continue;
            LayerEffort here;
            here.proposals = static_cast<std::int64_t>(rounds[r] * static_cast<double>(proposals)) + 1;
            if (effort.seconds) {
                const double from = watch.elapsed().value();
                const double seconds = std::max(1e-9, begun + spent * (*effort.seconds - begun) - from);
                if (r > 0)
                    here.proposals = static_cast<std::int64_t>(rounds[r] / rounds[0] * static_cast<double>(made[l]));
                here.passed = [&watch, from, seconds] { return (watch.elapsed().value() - from) / seconds; };
            }
            if (r > 0) here.from = temperature(here.proposals, model.experts());
            here.to = here.from / 100;
            const auto now = held(best[l], positions);
            std::vector<std::size_t> may(positions);
            for (std::size_t p = 0; p < positions; ++p)
                may[p] = std::min(std::max(problem.slots, now[p]), now[p] + (room > total[p] ? room - total[p] : 0));
            LayerSearch search(model, LayerId(l), best[l], may,
                               RandomStream(stream_key(effort.seed, search_purpose, r), l));
            made[l] = search.run(here);
            best[l] = search.best();
            time[l] = search.best_time();
            const auto then = held(best[l], positions);
            for (std::size_t p = 0; p < positions; ++p) total[p] = total[p] - now[p] + then[p];
            if (progress) progress(mean(), bound);
        }
    return {Placement(std::move(best), positions), "mean time of dispatch, expert and return of a layer, s", mean(),
            bound, watch.elapsed()};
}

}  // namespace moesim
