#pragma once
// How unevenly a load is spread.
#include <cstdint>
#include <span>

namespace moesim {

struct LoadBalance {
    double cv = 0;             // standard deviation (of the population) over mean
    double max_over_mean = 0;  // 1 where all are alike
};

// Both are 0 where nothing is loaded.
LoadBalance load_balance(std::span<const std::int64_t> load);
LoadBalance load_balance(std::span<const double> load);

}  // namespace moesim
