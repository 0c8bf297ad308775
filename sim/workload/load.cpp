#include "workload/load.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moesim {
namespace {

template <class T>
LoadBalance balance(std::span<const T> load) {
    const T sum = std::accumulate(load.begin(), load.end(), T{});
    if (sum == 0) return {};
    const auto n = static_cast<double>(load.size());
    const double mean = static_cast<double>(sum) / n;
    double squares = 0;
    for (const T l : load) squares += (static_cast<double>(l) - mean) * (static_cast<double>(l) - mean);
    const auto largest = static_cast<double>(*std::max_element(load.begin(), load.end()));
    return {std::sqrt(squares / n) / mean, largest / mean};
}

}  // namespace

LoadBalance load_balance(std::span<const std::int64_t> load) { return balance(load); }
LoadBalance load_balance(std::span<const double> load) { return balance(load); }

}  // namespace moesim
