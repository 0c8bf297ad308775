#include "calibrate/measure/fit_kernels.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "calibrate/rounding.hpp"
#include "calibrate/validate_table.hpp"
#include "cost/kernel_law.hpp"

namespace moesim {
namespace {

constexpr double error_scale = 0.05;
constexpr double worth_a_cost = 0.99;  // of the root mean square without it
constexpr std::size_t fewest_calls = 4;

// Least squares of few unknowns that may not be negative. At the solution some are 0 and the others solve the problem
// without those, so that every set of others is tried: exact, and of 8 unknowns no more than 255 small problems.
class KernelProblem {
  public:
    KernelProblem(const std::vector<PerQuantity>& counts, const std::vector<Seconds>& measured)
        : columns_(static_cast<Eigen::Index>(counts.size()), static_cast<Eigen::Index>(kernel_quantities)) {
        for (Eigen::Index i = 0; i < columns_.rows(); ++i)
            for (Eigen::Index q = 0; q < columns_.cols(); ++q)
                columns_(i, q) = counts[static_cast<std::size_t>(i)][static_cast<std::size_t>(q)] /
                                 measured[static_cast<std::size_t>(i)].value();
        // Counts differ by ten orders of magnitude: columns of length 1, so that none is taken for nothing.
        for (Eigen::Index q = 0; q < columns_.cols(); ++q) {
            lengths_.push_back(columns_.col(q).norm());
            if (lengths_.back() > 0) columns_.col(q) /= lengths_.back();
        }
    }

    // Rows weigh as `weights` has them.
    [[nodiscard]] PerQuantity solved(const Eigen::VectorXd& weights) const {
        const Eigen::MatrixXd a = weights.asDiagonal() * columns_;
        PerQuantity best{};
        double least = std::sqrt(weights.squaredNorm() / static_cast<double>(weights.size()));  // of no costs at all
        for (unsigned size = 1; size <= kernel_quantities; ++size) {
            PerQuantity best_of_size{};
            double least_of_size = INFINITY;
            for (unsigned set = 1; set < 1U << kernel_quantities; ++set)
                if (static_cast<unsigned>(std::popcount(set)) == size)
                    if (const auto [x, error] = solved(a, weights, set); error < least_of_size)
                        least_of_size = error, best_of_size = x;
            if (least_of_size < worth_a_cost * least) least = least_of_size, best = best_of_size;
        }
        return best;
    }
    // sum_q x_q counts_q / measured - 1.  [call]
    [[nodiscard]] Eigen::VectorXd errors(const PerQuantity& x) const {
        Eigen::VectorXd e = Eigen::VectorXd::Constant(columns_.rows(), -1);
        for (Eigen::Index q = 0; q < columns_.cols(); ++q)
            e += columns_.col(q) * (lengths_[static_cast<std::size_t>(q)] * x[static_cast<std::size_t>(q)]);
        return e;
    }

  private:
    struct Solution {
        PerQuantity x{};
        double error = INFINITY;
    };
    [[nodiscard]] Solution solved(const Eigen::MatrixXd& a, const Eigen::VectorXd& weights, unsigned set) const {
        Eigen::MatrixXd some(a.rows(), std::popcount(set));
        std::vector<std::size_t> quantities;
        for (std::size_t q = 0; q < kernel_quantities; ++q)
            if ((set >> q & 1U) != 0) {
                if (lengths_[q] == 0) return {};
                some.col(static_cast<Eigen::Index>(quantities.size())) = a.col(static_cast<Eigen::Index>(q));
                quantities.push_back(q);
            }
        if (some.cols() > some.rows()) return {};
        const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(some);
        if (qr.rank() < some.cols()) return {};
        const Eigen::VectorXd x = qr.solve(weights);
        if (x.minCoeff() <= 0) return {};
        Solution s;
        for (std::size_t i = 0; i < quantities.size(); ++i)
            s.x[quantities[i]] = x[static_cast<Eigen::Index>(i)] / lengths_[quantities[i]];
        s.error = std::sqrt((some * x - weights).squaredNorm() / static_cast<double>(a.rows()));
        return s;
    }

    Eigen::MatrixXd columns_;  // [call][quantity]: counts / measured, to a length of 1
    std::vector<double> lengths_;
};

double predicted(const PerQuantity& costs, const PerQuantity& counts) {
    double time = 0;
    for (std::size_t q = 0; q < kernel_quantities; ++q) time += costs[q] * counts[q];
    return time;
}

// The calls of one operation.
struct Calls {
    std::vector<PerQuantity> counts;
    std::vector<Seconds> measured;
    std::vector<std::string> shapes;
    std::vector<double> spread;  // of a call: half of the median's interval over the median

    [[nodiscard]] Calls but(const std::string& shape) const {
        Calls others;
        for (std::size_t i = 0; i < counts.size(); ++i)
            if (shapes[i] != shape) {
                others.counts.push_back(counts[i]);
                others.measured.push_back(measured[i]);
            }
        return others;
    }
    [[nodiscard]] double error(const PerQuantity& costs, std::size_t i) const {
        return predicted(costs, counts[i]) / measured[i].value() - 1;
    }
};

std::vector<double> held_out_errors(const Calls& calls) {
    std::vector<double> errors;
    const std::set<std::string> shapes(calls.shapes.begin(), calls.shapes.end());
    if (shapes.size() < 2) return errors;
    for (const std::string& shape : shapes) {
        const Calls others = calls.but(shape);
        const PerQuantity costs = least_costs(others.counts, others.measured);
        for (std::size_t i = 0; i < calls.counts.size(); ++i)
            if (calls.shapes[i] == shape) errors.push_back(calls.error(costs, i));
    }
    return errors;
}

// The mean of rho (least_costs) over the calls.
double misfit(const Calls& calls, const PerQuantity& costs) {
    double sum = 0;
    for (std::size_t i = 0; i < calls.counts.size(); ++i) {
        const double e = calls.error(costs, i) / error_scale;
        sum += std::sqrt(1 + e * e) - 1;
    }
    return sum / static_cast<double>(calls.counts.size());
}

Calls with(Calls calls, Bytes cache) {
    for (PerQuantity& c : calls.counts) c = with_cache(c, cache);
    return calls;
}

KernelLaw fitted(KernelOperation operation, const Calls& plain, const std::vector<Bytes>& caches,
                 const std::string& described, const std::string& date) {
    KernelLaw law;
    law.operation = operation;
    double least = INFINITY;
    for (const Bytes cache : caches) {
        const Calls tried = with(plain, cache);
        const PerQuantity costs = least_costs(tried.counts, tried.measured);
        if (const double m = misfit(tried, costs); m < worth_a_cost * least)
            least = m, law.seconds_per = costs, law.cache = cache;
    }
    const Calls calls = with(plain, law.cache);
    for (double& cost : law.seconds_per) cost = four_digits(cost);
    std::vector<double> errors = held_out_errors(calls), ratios;
    law.fit.held_out = static_cast<std::int64_t>(errors.size());
    for (std::size_t i = 0; i < calls.counts.size(); ++i) {
        if (law.fit.held_out == 0) errors.push_back(calls.error(law.seconds_per, i));
        ratios.push_back(calls.measured[i].value() / predicted(law.seconds_per, calls.counts[i]));
    }
    const ErrorSummary s = summary(errors);
    law.fit.measured_on = described;
    law.fit.date = date;
    law.fit.rows = static_cast<std::int64_t>(calls.counts.size());
    law.fit.spread = four_digits(summary(calls.spread).median);
    law.fit.median = four_digits(s.median), law.fit.p90 = four_digits(s.p90), law.fit.worst = four_digits(s.max);
    law.fit.residuals = twenty_quantiles(std::move(ratios));
    return law;
}

}  // namespace

PerQuantity least_costs(const std::vector<PerQuantity>& counts, const std::vector<Seconds>& measured) {
    const KernelProblem problem(counts, measured);
    Eigen::VectorXd weights = Eigen::VectorXd::Ones(static_cast<Eigen::Index>(counts.size()));
    PerQuantity costs = problem.solved(weights);
    // rho'(e) = 2 e / sqrt(1 + (e / s)^2): squares with the weights of the last solution, until they no longer change.
    for (int round = 0; round < 6; ++round) {
        weights = (1 + (problem.errors(costs) / error_scale).array().square()).pow(-0.25);
        costs = problem.solved(weights);
    }
    return costs;
}

std::vector<KernelLaw> fit_kernels(const std::vector<TimedCall>& timed, const std::vector<Bytes>& caches,
                                   const std::string& described, const std::string& date) {
    std::vector<KernelLaw> laws;
    for (std::size_t o = 0; o < kernel_operation_names.size(); ++o) {
        Calls calls;
        for (const TimedCall& c : timed) {
            if (c.operation != static_cast<KernelOperation>(o)) continue;
            calls.counts.push_back(c.counts);
            calls.measured.push_back(c.timing.median);
            calls.shapes.push_back(c.shape);
            calls.spread.push_back((c.timing.high - c.timing.low) / c.timing.median / 2);
        }
        if (calls.counts.size() >= fewest_calls)
            laws.push_back(fitted(static_cast<KernelOperation>(o), calls, caches, described, date));
    }
    return laws;
}

}  // namespace moesim
