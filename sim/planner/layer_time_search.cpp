#include "planner/layer_time_search.hpp"

#include <fmt/format.h>

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "planner/layer_search.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

constexpr std::uint64_t search_purpose = 61;

// Few tokens take little time to look at, but what balances them does not balance others: 8192 tokens of top-8 are
// 1,000 a position of 64, give or take 3%. So few are for the way, and many for its end.
constexpr std::size_t few = 8192, many = layer_time_tokens;

// Parts of the effort: downhill on few tokens, annealed, then downhill on many.
struct Round {
    double share;
    bool annealed, fine;
};
constexpr std::array rounds = {Round{0.15, false, false}, Round{0.45, true, false}, Round{0.40, false, true}};

// How often each pair of experts comes up.
double visits(double proposals, std::size_t experts) { return 2 * proposals / static_cast<double>(experts * experts); }
// With so many, annealing on many tokens gets round as well.
constexpr double plenty = 200;

// Where annealing starts. It pays where every pair of experts comes up many times; with less effort than that,
// going downhill on the softened objective gets further (58 layers of 256 experts on 64 positions: 30,000 proposals a
// layer downhill do what 100,000 do from a tenth of a proposal's change).
double temperature(double proposals, std::size_t experts) {
    const double v = visits(proposals, experts);
    return v < 10 ? 0 : std::min(1.0, v / 100);
}

using Layer = std::vector<LayerTimeState::Copies>;

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

// Copies of all layers at each position.
std::vector<std::size_t> held(const std::vector<Layer>& layers, std::size_t positions) {
    std::vector<std::size_t> total(positions);
    for (const Layer& layer : layers) {
        const auto n = held(layer, positions);
        for (std::size_t p = 0; p < positions; ++p) total[p] += n[p];
    }
    return total;
}

// How many copies each layer may have at each position: what slots allow, and its part of the memory that is left.
std::vector<std::vector<std::size_t>> allowed(const std::vector<Layer>& layers, std::size_t positions,
                                              std::size_t slots, std::size_t room) {
    std::vector<std::vector<std::size_t>> most;
    most.reserve(layers.size());
    for (const Layer& layer : layers) most.push_back(held(layer, positions));
    const auto total = held(layers, positions);
    for (std::size_t l = 0; l < layers.size(); ++l)
        for (std::size_t p = 0; p < positions; ++p) {
            const std::size_t left = room > total[p] ? room - total[p] : 0;
            const std::size_t part = left / layers.size() + (l < left % layers.size() ? 1 : 0);
            most[l][p] = std::min(std::max(slots, most[l][p]), most[l][p] + part);
        }
    return most;
}

double mean(const std::vector<double>& of_layers) {
    const double sum = std::accumulate(of_layers.begin(), of_layers.end(), 0.0);
    return sum / static_cast<double>(std::max<std::size_t>(of_layers.size(), 1));
}

// The fastest that one of the starts has for each layer, or the best of them whole where the mixture is too large.
std::vector<Layer> best_start(const std::vector<Placement>& starts, const Matrix<double>& of_start, std::size_t room,
                              std::vector<double>& time) {
    const std::size_t layers = of_start.cols(), positions = starts[0].positions();
    const auto made_of = [&](auto start_of) {
        std::vector<Layer> all;
        time.clear();
        for (std::size_t l = 0; l < layers; ++l) {
            const std::size_t s = start_of(l);
            all.push_back(copies_of(starts[s], LayerId(l)));
            time.push_back(of_start(s, l));
        }
        return all;
    };
    std::vector<Layer> best = made_of([&](std::size_t l) {
        std::size_t s = 0;
        for (std::size_t other = 1; other < starts.size(); ++other)
            if (of_start(other, l) < of_start(s, l)) s = other;
        return s;
    });
    const auto total = held(best, positions);
    if (*std::max_element(total.begin(), total.end()) <= room) return best;
    std::vector<double> sums;
    for (std::size_t s = 0; s < starts.size(); ++s)
        sums.push_back(std::accumulate(of_start.row(s).begin(), of_start.row(s).end(), 0.0));
    const auto first = static_cast<std::size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin());
    return made_of([&](std::size_t) { return first; });
}

}  // namespace

PlannerResult layer_time_plan(const PlannerProblem& problem, const Scenario& scenario, const Fabric& fabric,
                              std::vector<Placement> starts, const Effort& effort, const SearchProgress& progress) {
    const Stopwatch watch;
    check(problem, scenario, starts);
    const LayerTimeModel coarse(problem.workload, scenario, fabric, few),
        fine(problem.workload, scenario, fabric, many);
    const std::size_t layers = fine.layers(), positions = fine.positions();

    Matrix<double> of_start(starts.size(), layers);
    tbb::parallel_for(std::size_t{0}, starts.size() * layers, [&](std::size_t i) {
        of_start(i / layers, i % layers) = fine.time(starts[i / layers], LayerId(i % layers)).total.value();
    });
    std::vector<double> time;
    const std::size_t room = room_of(problem);
    std::vector<Layer> best = best_start(starts, of_start, room, time);

    std::vector<Layer> at = best;  // where the search is: what few tokens recommend, many may not, or not yet

    const double before_bounds = watch.elapsed().value();
    std::vector<double> bounds(layers);
    tbb::parallel_for(std::size_t{0}, layers, [&](std::size_t l) {
        const auto n = held(best[l], positions);
        const std::size_t most = std::max(problem.slots, *std::max_element(n.begin(), n.end()));
        // With a clock, a twentieth of the time goes to the traffic of bounds: of many large layers, not all have it.
        const bool traffic = !effort.seconds || watch.elapsed().value() < before_bounds + *effort.seconds / 20;
        bounds[l] = fine.bound(LayerId(l), most, traffic).total.value();
    });
    const double bound = mean(bounds);
    std::mutex telling;
    if (progress) progress(mean(time), bound);

    std::int64_t proposals = effort.iterations.value_or(
        proposals_an_expert * static_cast<std::int64_t>(fine.experts()) * static_cast<std::int64_t>(layers));
    if (layers > 0) proposals /= static_cast<std::int64_t>(layers);
    const auto cores = static_cast<std::size_t>(tbb::this_task_arena::max_concurrency());
    const double begun = watch.elapsed().value();
    std::vector<double> speed(layers);  // of the first round: proposals for all of the effort
    double spent = 0;                   // parts of the effort that are over
    for (std::size_t r = 0; r < rounds.size(); ++r) {
        const Round& round = rounds[r];
        spent += round.share;
        const double end = effort.seconds ? begun + spent * (*effort.seconds - begun) : 0;
        const auto most = allowed(at, positions, problem.slots, room);
        std::atomic<std::size_t> left = layers;
        tbb::parallel_for(std::size_t{0}, layers, [&](std::size_t l) {
            const std::size_t others = left--;
            if (time[l] <= bounds[l]) return;
            LayerEffort here;
            here.proposals = static_cast<std::int64_t>(round.share * static_cast<double>(proposals)) + 1;
            if (!effort.seconds) speed[l] = static_cast<double>(proposals);
            const double from = watch.elapsed().value();
            const double seconds = std::max(
                1e-9, (end - from) * static_cast<double>(std::min(cores, others)) / static_cast<double>(others));
            if (effort.seconds)
                here.passed = [&watch, from, seconds] { return (watch.elapsed().value() - from) / seconds; };
            const double slower = static_cast<double>(fine.tokens()) / static_cast<double>(coarse.tokens());
            const double will = speed[l] * round.share;
            const bool on_many = round.fine || (r > 0 && visits(will / slower, fine.experts()) >= plenty);
            if (round.annealed) here.from = temperature(on_many ? will / slower : will, fine.experts());
            here.to = here.from / 100;
            // What few tokens recommend may be far from good on many, where there are few of each position.
            if (round.fine && best[l] != at[l]) {
                const auto guide = [&](const Layer& layer) {
                    const LayerTimeState::Value v = LayerTimeState(fine, LayerId(l), layer).value();
                    return v.time + v.guide;
                };
                if (guide(best[l]) < guide(at[l])) at[l] = best[l];
            }
            LayerSearch search(on_many ? fine : coarse, LayerId(l), at[l], most[l],
                               RandomStream(stream_key(effort.seed, search_purpose, r), l));
            const std::int64_t made = search.run(here);
            if (effort.seconds && r == 0) speed[l] = static_cast<double>(made) / round.share;
            at[l] = search.best();
            const double now = on_many ? search.best_time() : LayerTimeState(fine, LayerId(l), at[l]).value().time;
            const std::lock_guard lock(telling);
            if (now < time[l]) best[l] = at[l], time[l] = now;
            if (progress) progress(mean(time), bound);
        });
    }
    return {Placement(std::move(best), positions), "mean time of dispatch, expert and return of a layer, s", mean(time),
            bound, watch.elapsed()};
}

}  // namespace moesim
