#pragma once
// Figures as profiles keep them.
#include <vector>

namespace moesim {

// To four significant digits: more than any of them is known to. Less than 1e-300 is nothing.
double four_digits(double value);

// Quantiles 0, 1/20, .., 1 of at least one number, with straight lines between the numbers, to four digits.
std::vector<double> twenty_quantiles(std::vector<double> values);

}  // namespace moesim
