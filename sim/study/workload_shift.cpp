#include "study/workload_shift.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "study/planning.hpp"

namespace moesim {
namespace {

double sum(std::span<const double> v) { return std::accumulate(v.begin(), v.end(), 0.0); }

// Of every second run of `turn` tokens.
Matrix<double> load_of(const RoutingTrace& trace, std::size_t turn, bool odd) {
    Matrix<double> load(trace.layers, trace.experts);
    for (std::size_t t = 0; t < trace.tokens; ++t) {
        if ((t / turn % 2 == 1) != odd) continue;
        for (std::size_t l = 0; l < trace.layers; ++l)
            for (const ExpertIndex e : trace.at(t, l))
                if (e != no_expert) ++load(l, e);
    }
    return load;
}

}  // namespace

double load_distance(const Matrix<double>& a, const Matrix<double>& b) {
    if (a.rows() != b.rows() || a.cols() != b.cols()) throw InternalError("loads of two shapes are compared");
    if (a.rows() == 0) return 0;
    double total = 0;
    for (std::size_t l = 0; l < a.rows(); ++l) {
        const double all_a = sum(a.row(l)), all_b = sum(b.row(l));
        if (all_a <= 0 || all_b <= 0) continue;
        for (std::size_t e = 0; e < a.cols(); ++e) total += std::abs(a(l, e) / all_a - b(l, e) / all_b) / 2;
    }
    return total / static_cast<double>(a.rows());
}

double distance_by_chance(const RoutingTrace& learned, double judged_tokens) {
    const auto tokens = static_cast<double>(learned.tokens);
    if (learned.tokens < 2 || judged_tokens <= 0) return 1;
    const std::size_t turn = std::min(learned_block, learned.tokens / 2);
    const double halves = load_distance(load_of(learned, turn, false), load_of(learned, turn, true));
    return halves * std::sqrt((1 / tokens + 1 / judged_tokens) / (4 / tokens));
}

}  // namespace moesim
