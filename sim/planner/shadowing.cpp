#include "planner/shadowing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "planner/placement_columns.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

class Layer {
  public:
    Layer(const PlannerProblem& problem, const ShadowingOptions& options, std::span<const double> load,
          std::span<const std::uint32_t> home)
        : positions_(problem.positions), options_(options), load_(load), home_(home), shadowed_(load.size()) {
        const auto tokens = static_cast<double>(problem.workload.tokens);
        batch_ = options.batch_tokens > 0 && tokens > 0 ? options.batch_tokens / tokens : 1;
        weights_ = problem.expert_bytes;
    }

    void shadow(std::size_t expert, bool yes) { shadowed_[expert] = yes; }
    [[nodiscard]] bool shadowed(std::size_t expert) const { return shadowed_[expert]; }

    [[nodiscard]] double time() const {
        const std::size_t n = positions_.count();
        std::vector<double> tokens(n), remote(n);
        double everywhere = 0, broadcast = 0;
        for (std::size_t e = 0; e < load_.size(); ++e) {
            const double share = load_[e] * batch_ / static_cast<double>(n);  // of a position's own tokens
            if (shadowed_[e]) {
                everywhere += share;
                broadcast += weights_.as_double() * slowest_from(home_[e]);
            } else {
                tokens[home_[e]] += load_[e] * batch_;
                remote[home_[e]] += share;
            }
        }
        double compute = 0, receive = 0;
        for (std::size_t p = 0; p < n; ++p) {
            compute = std::max(compute, tokens[p] + everywhere);
            double seconds = 0;
            for (std::size_t from = 0; from < n; ++from)
                seconds += remote[p] * options_.row.as_double() * positions_.seconds_per_byte(from, p);
            receive = std::max(receive, seconds);
        }
        return options_.passes * options_.token_time.value() * compute + options_.messages * receive +
               options_.transfers / options_.batches_a_transfer * broadcast;
    }

  private:
    [[nodiscard]] double slowest_from(std::size_t home) const {
        const auto row = positions_.seconds_per_byte.row(home);
        return *std::max_element(row.begin(), row.end());
    }

    const Positions& positions_;
    const ShadowingOptions& options_;
    std::span<const double> load_;
    std::span<const std::uint32_t> home_;
    std::vector<bool> shadowed_;
    double batch_ = 1;
    Bytes weights_;
};

}  // namespace

PlannerResult shadowing_plan(const PlannerProblem& problem, const ShadowingOptions& options, const Effort&) {
    const Stopwatch watch;
    const WorkloadCounts& w = problem.workload;
    const std::size_t n = problem.positions.count();
    const Matrix<std::uint32_t> base = options.base ? *options.base : even_start(problem);
    std::size_t memory = w.layers * w.experts;
    if (problem.memory && problem.expert_bytes.value() > 0)
        memory = static_cast<std::size_t>(problem.memory->value() / problem.expert_bytes.value());
    // Copies on each position, of this layer and of all.
    Matrix<std::size_t> held(w.layers, n);
    std::vector<std::size_t> all(n);
    for (std::size_t l = 0; l < w.layers; ++l)
        for (const std::uint32_t p : base.row(l)) ++held(l, p), ++all[p];
    for (std::size_t p = 0; p < n; ++p) {
        for (std::size_t l = 0; l < w.layers; ++l)
            if (held(l, p) > problem.slots)
                throw InputError(fmt::format("shadowing: found {} slots on position {}, expected {} for layer {}",
                                             problem.slots, p, held(l, p), l));
        if (all[p] > memory)
            throw InputError(
                fmt::format("shadowing: found memory for {} experts on position {}, expected {}", memory, p, all[p]));
    }
    std::vector<std::vector<std::vector<std::uint32_t>>> replicas(w.layers);
    double value = 0;
    for (std::size_t l = 0; l < w.layers; ++l) {
        Layer layer(problem, options, w.load.row(l), base.row(l));
        double best = layer.time();
        std::vector<std::size_t> order(w.experts);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return w.load(l, a) > w.load(l, b); });
        for (const std::size_t e : order) {
            bool room = true;
            for (std::size_t p = 0; p < n; ++p)
                room = room && (p == base(l, e) || (held(l, p) < problem.slots && all[p] < memory));
            if (!room) continue;  // a later one may live where it is full
            layer.shadow(e, true);
            const double time = layer.time();
            if (!(time < best)) {
                layer.shadow(e, false);
                break;
            }
            best = time;
            for (std::size_t p = 0; p < n; ++p)
                if (p != base(l, e)) ++held(l, p), ++all[p];
        }
        value += best;
        for (std::size_t e = 0; e < w.experts; ++e) {
            std::vector<std::uint32_t> copies{base(l, e)};
            if (layer.shadowed(e)) {
                copies.resize(n);
                std::iota(copies.begin(), copies.end(), 0U);
            }
            replicas[l].push_back(std::move(copies));
        }
    }
    return {Placement(std::move(replicas), n), "s a batch, of experts and what is sent for them, summed over layers",
            value, std::nullopt, watch.elapsed()};
}

}  // namespace moesim
