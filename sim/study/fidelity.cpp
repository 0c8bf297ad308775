#include "study/fidelity.hpp"

#include <algorithm>
#include <cmath>

#include "planner/affinity_placement.hpp"
#include "workload/generate.hpp"
#include "workload/measures.hpp"
#include "workload/statistics.hpp"

namespace moesim {
namespace {

constexpr std::size_t positions = 8;
constexpr std::uint64_t generated_runs = 4;  // so that the model is judged, not one draw of it

Placement contiguous(const RoutingTrace& trace) {
    Matrix<std::uint32_t> place(trace.layers, trace.experts);
    for (std::size_t l = 0; l < trace.layers; ++l)
        for (std::size_t e = 0; e < trace.experts; ++e)
            place(l, e) = static_cast<std::uint32_t>(e * positions / trace.experts);
    return {std::move(place), positions};
}

// The positions of a token's experts in a layer, as a set of bits.
std::uint64_t positions_of(const RoutingTrace& trace, const Placement& placement, std::size_t token,
                           std::size_t layer) {
    std::uint64_t bits = 0;
    for (const ExpertIndex e : trace.at(token, layer))
        if (e != no_expert) bits |= std::uint64_t{1} << placement.position(LayerId(layer), e);
    return bits;
}

double error(double made, double real) { return real == 0 ? (made == 0 ? 0 : 1) : std::abs(made / real - 1); }

// Of several runs against the same recording.
Fidelity mean_of(const std::vector<Fidelity>& runs) {
    const double part = 1 / static_cast<double>(runs.size());
    Fidelity mean = runs[0];
    for (LayerPairs Fidelity::*pairs : {&Fidelity::load_cv, &Fidelity::information})
        for (std::size_t l = 0; l < (mean.*pairs).made.size(); ++l) {
            (mean.*pairs).made[l] = 0;
            for (const Fidelity& f : runs) (mean.*pairs).made[l] += part * (f.*pairs).made[l];
        }
    for (double Fidelity::*distance : {&Fidelity::adjacent_contiguous, &Fidelity::adjacent_optimised,
                                       &Fidelity::dispatch_contiguous, &Fidelity::dispatch_optimised}) {
        mean.*distance = 0;
        for (const Fidelity& f : runs) mean.*distance += part * f.*distance;
    }
    return mean;
}

}  // namespace

RoutingTrace every_second(const RoutingTrace& trace, bool odd) {
    RoutingTrace half = trace;
    half.choices.clear();
    half.source_begin.clear();
    half.tokens = 0;
    std::size_t source = 0;
    for (std::size_t t = 0; t < trace.tokens; ++t) {
        const bool begins = source < trace.source_begin.size() && trace.source_begin[source] <= t;
        if ((t % 2 == 1) != odd) continue;
        if (begins) {
            half.source_begin.push_back(half.tokens);
            while (source < trace.source_begin.size() && trace.source_begin[source] <= t) ++source;
        }
        const auto row = std::span(trace.choices).subspan(t * trace.layers * trace.top_k, trace.layers * trace.top_k);
        half.choices.insert(half.choices.end(), row.begin(), row.end());
        ++half.tokens;
    }
    return half;
}

Matrix<double> adjacent_traffic(const RoutingTrace& trace, const Placement& placement) {
    const std::size_t n = placement.positions();
    Matrix<double> traffic(n, n);
    for (std::size_t t = 0; t < trace.tokens; ++t) {
        std::uint64_t from = positions_of(trace, placement, t, 0);
        for (std::size_t l = 1; l < trace.layers; ++l) {
            const std::uint64_t to = positions_of(trace, placement, t, l);
            for (std::size_t i = 0; i < n; ++i)
                for (std::size_t j = 0; j < n; ++j)
                    if ((from >> i & 1U) != 0 && (to >> j & 1U) != 0) ++traffic(i, j);
            from = to;
        }
    }
    return traffic;
}

Matrix<double> dispatch_traffic(const RoutingTrace& trace, const Placement& placement) {
    const std::size_t n = placement.positions();
    Matrix<double> traffic(n, n);
    for (std::size_t t = 0; t < trace.tokens; ++t)
        for (std::size_t l = 0; l < trace.layers; ++l) {
            const std::uint64_t to = positions_of(trace, placement, t, l);
            for (std::size_t j = 0; j < n; ++j)
                if ((to >> j & 1U) != 0) ++traffic(t * n / trace.tokens, j);
        }
    return traffic;
}

double relative_distance(const Matrix<double>& made, const Matrix<double>& real, double scale) {
    double difference = 0, whole = 0;
    for (std::size_t i = 0; i < real.values().size(); ++i) {
        const double d = made.values()[i] * scale - real.values()[i];
        difference += d * d;
        whole += real.values()[i] * real.values()[i];
    }
    return whole == 0 ? std::sqrt(difference) : std::sqrt(difference / whole);
}

double LayerPairs::worst_error() const {
    double worst = 0;
    for (std::size_t l = 0; l < made.size(); ++l) worst = std::max(worst, error(made[l], real[l]));
    return worst;
}

double LayerPairs::mean_error() const {
    double sum = 0;
    for (std::size_t l = 0; l < made.size(); ++l) sum += error(made[l], real[l]);
    return made.empty() ? 0 : sum / static_cast<double>(made.size());
}

Fidelity compare(const RoutingTrace& made, const RoutingTrace& real, const Placement& optimised) {
    Fidelity f;
    StatisticsOptions options;
    options.transitions = true;
    const RoutingStatistics a = statistics_of(made, options), b = statistics_of(real, options);
    for (std::size_t l = 0; l < real.layers; ++l) {
        f.load_cv.made.push_back(a.layer(LayerId(l)).balance.balance.cv);
        f.load_cv.real.push_back(b.layer(LayerId(l)).balance.balance.cv);
        if (l == 0) continue;
        f.information.made.push_back(mutual_information(a.first_choice_counts(LayerId(l))));
        f.information.real.push_back(mutual_information(b.first_choice_counts(LayerId(l))));
    }
    const double scale = static_cast<double>(real.tokens) / static_cast<double>(made.tokens);
    const Placement plain = contiguous(real);
    const auto distance = [&](auto traffic, const Placement& p) {
        return relative_distance(traffic(made, p), traffic(real, p), scale);
    };
    f.adjacent_contiguous = distance(adjacent_traffic, plain);
    f.adjacent_optimised = distance(adjacent_traffic, optimised);
    f.dispatch_contiguous = distance(dispatch_traffic, plain);
    f.dispatch_optimised = distance(dispatch_traffic, optimised);
    return f;
}

void Errors::add(const Fidelity& f, double weight) {
    load_cv_worst += weight * f.load_cv.worst_error();
    load_cv_mean += weight * f.load_cv.mean_error();
    information_worst += weight * f.information.worst_error();
    information_mean += weight * f.information.mean_error();
    adjacent_contiguous += weight * f.adjacent_contiguous;
    adjacent_optimised += weight * f.adjacent_optimised;
    dispatch_contiguous += weight * f.dispatch_contiguous;
    dispatch_optimised += weight * f.dispatch_optimised;
}

HeldOut hold_out(const RoutingTrace& trace, FitOptions options) {
    HeldOut result;
    options.progress = nullptr;
    FitOptions plain = options;
    plain.sources = 1;
    plain.transitions = false;
    for (const bool odd : {false, true}) {
        const RoutingTrace learned = every_second(trace, odd), held = every_second(trace, !odd);
        const Placement optimised = affinity_placement(learned, positions);
        const auto made_by = [&](const FitOptions& o) {
            const WorkloadModel model = fit_workload(learned, o);
            std::vector<Fidelity> runs;
            // Tokens of other seeds than those that calibrated the weights.
            for (std::uint64_t run = 1; run <= generated_runs; ++run)
                runs.push_back(compare(generate(model, held.tokens, o.seed + run), held, optimised));
            return mean_of(runs);
        };
        result.tokens = held.tokens;
        result.recorded.add(compare(learned, held, optimised), 0.5);
        result.fitted.add(made_by(options), 0.5);
        result.popularity.add(made_by(plain), 0.5);
    }
    return result;
}

}  // namespace moesim
