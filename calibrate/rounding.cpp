#include "calibrate/rounding.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace moesim {

double four_digits(double value) {
    if (std::fabs(value) < 1e-300) return 0;  // std::stod refuses the smallest numbers
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return std::stod(text);
}

std::vector<double> twenty_quantiles(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    std::vector<double> q;
    for (int i = 0; i <= 20; ++i) {
        const double at = i / 20.0 * static_cast<double>(values.size() - 1);
        const auto low = static_cast<std::size_t>(at);
        const std::size_t high = std::min(low + 1, values.size() - 1);
        q.push_back(four_digits(values[low] + (at - static_cast<double>(low)) * (values[high] - values[low])));
    }
    return q;
}

}  // namespace moesim
