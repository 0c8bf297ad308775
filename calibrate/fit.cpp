#include "calibrate/fit.hpp"

#include <unsupported/Eigen/NonLinearOptimization>
#include <unsupported/Eigen/NumericalDiff>

#include <cmath>

#include "calibrate/rounding.hpp"

namespace moesim {
namespace {

Profile with(Profile profile, const std::vector<Figure>& figures, const Eigen::VectorXd& x) {
    for (std::size_t i = 0; i < figures.size(); ++i) figures[i].set(profile, std::exp(x[static_cast<Eigen::Index>(i)]));
    return profile;
}

// What Eigen's solver asks of a problem.
struct FigureProblem {
    using Scalar = double;
    using InputType = Eigen::VectorXd;
    using ValueType = Eigen::VectorXd;
    using JacobianType = Eigen::MatrixXd;
    enum { InputsAtCompileTime = Eigen::Dynamic, ValuesAtCompileTime = Eigen::Dynamic };

    const Profile& profile;
    const std::vector<Figure>& figures;
    const std::vector<Sample>& samples;
    double scale;

    [[nodiscard]] int inputs() const { return static_cast<int>(figures.size()); }
    [[nodiscard]] int values() const { return static_cast<int>(samples.size()); }
    int operator()(const InputType& x, ValueType& residuals) const {
        const Profile p = with(profile, figures, x);
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const double e = std::log(samples[i].predict(p) / samples[i].measured) / scale;
            residuals[static_cast<Eigen::Index>(i)] =
                std::copysign(scale * std::sqrt(2 * (std::sqrt(1 + e * e) - 1)), e);
        }
        return 0;
    }
};

}  // namespace

void fit(Profile& profile, const std::vector<Figure>& figures, const std::vector<Sample>& samples, double scale) {
    Eigen::VectorXd x(static_cast<Eigen::Index>(figures.size()));
    for (std::size_t i = 0; i < figures.size(); ++i)
        x[static_cast<Eigen::Index>(i)] = std::log(figures[i].get(profile));
    const FigureProblem problem{profile, figures, samples, scale};
    // Bytes and counts are whole numbers: steps well above their rounding.
    Eigen::NumericalDiff<FigureProblem> with_differences(problem, 1e-8);
    Eigen::LevenbergMarquardt<Eigen::NumericalDiff<FigureProblem>> solver(with_differences);
    solver.parameters.maxfev = Eigen::Index{60} * (problem.inputs() + 1);
    solver.minimize(x);
    for (std::size_t i = 0; i < figures.size(); ++i)
        figures[i].set(profile, four_digits(std::exp(x[static_cast<Eigen::Index>(i)])));
}

}  // namespace moesim
