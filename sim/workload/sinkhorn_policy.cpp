#include "workload/sinkhorn_policy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/float_math.hpp"
#include "workload/softmax.hpp"
#include "workload/topk.hpp"

namespace moesim {

int balance(Matrix<float>& scores, double tolerance, int most) {
    const std::size_t rows = scores.rows(), cols = scores.cols();
    if (rows == 0) return 0;
    for (std::size_t r = 0; r < rows; ++r) exp_below_largest(scores.row(r));
    // Rows are added up in float, some of them at a time, and these sums in double.
    constexpr std::size_t at_a_time = 64;
    constexpr double most_scale = 1e30;  // more is left to the next round
    std::vector<double> column(cols);
    std::vector<float> some(cols), scale(cols, 1.0F);
    int round = 0;
    for (double worst = 1; worst > tolerance && round < most; ++round) {
        std::fill(column.begin(), column.end(), 0.0);
        for (std::size_t r = 0; r < rows; ++r) {
            const auto row = scores.row(r);
            for (std::size_t c = 0; c < cols; ++c) row[c] *= scale[c];
            const auto share = static_cast<float>(1 / sum(row));
            for (std::size_t c = 0; c < cols; ++c) row[c] *= share;
            for (std::size_t c = 0; c < cols; ++c) some[c] += row[c];
            if ((r + 1) % at_a_time != 0 && r + 1 != rows) continue;
            for (std::size_t c = 0; c < cols; ++c) column[c] += static_cast<double>(some[c]);
            std::fill(some.begin(), some.end(), 0.0F);
        }
        worst = 0;
        const auto used =
            static_cast<double>(std::count_if(column.begin(), column.end(), [](double s) { return s > 0; }));
        const double target = static_cast<double>(rows) / used;
        for (std::size_t c = 0; c < cols; ++c) {
            const double factor = column[c] > 0 ? target / column[c] : 1.0;
            worst = std::max(worst, std::abs(factor - 1));
            scale[c] = static_cast<float>(std::min(factor, most_scale));
        }
    }
    return round;
}

void SinkhornPolicy::route(const TokenBatch& batch, Routing& out) const {
    constexpr double tolerance = 1e-3;
    constexpr int most_rounds = 200;
    const auto tokens = static_cast<std::size_t>(batch.tokens.size());
    Matrix<float> scores(tokens, gate_->experts());
    out.clear(tokens, top_k_);
    for_each_token(*gate_, batch, [&](std::size_t t, std::span<const float> logits) {
        std::copy(logits.begin(), logits.end(), scores.row(t).begin());
    });
    const Matrix<float> logits = scores;
    balance(scores, tolerance, most_rounds);
    if (batch.want_gates) out.gates.resize(out.experts.size());
    for (std::size_t t = 0; t < tokens; ++t) {
        const auto row = scores.row(t);
        // What became too small for a number still ranks by its logit, below all others; silent experts have none.
        const auto logit = logits.row(t);
        for (std::size_t e = 0; e < row.size(); ++e) row[e] = row[e] > 0 ? float_log(row[e]) : logit[e] - 1e6F;
        const auto chosen = std::span(out.experts).subspan(t * top_k_, top_k_);
        select_topk(row, chosen);
        if (batch.want_gates)
            softmax_of_chosen(logits.row(t), chosen, std::span(out.gates).subspan(t * top_k_, top_k_));
    }
}

}  // namespace moesim
