#pragma once
// Least squares over the figures of a profile.
#include <functional>
#include <string>
#include <vector>

#include "config/profile.hpp"

namespace moesim {

// A figure that a fit may change: a positive number in SI units.
struct Figure {
    std::string name;
    std::function<double(const Profile&)> get;
    std::function<void(Profile&, double)> set;
    std::function<void(Profile&, const std::string&)> set_source = {};
};

// A timed call and what a profile says of it.
struct Sample {
    std::function<double(const Profile&)> predict;  // seconds
    double measured = 0;                            // seconds
};

// Changes `figures` of `profile`, from their values there, to make the sum of rho(log(predicted / measured)) over
// `samples` least, by Levenberg and Marquardt's method in the logarithms of the figures.
// rho(e) = 2 s^2 (sqrt(1 + (e/s)^2) - 1) with s = `scale`: errors well above it count by their size, not its square, so
// that single slow readings do not bend the fit. Rounds the figures to four digits.
void fit(Profile& profile, const std::vector<Figure>& figures, const std::vector<Sample>& samples, double scale);

}  // namespace moesim
