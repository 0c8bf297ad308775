#include "planner/longest_first.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace moesim {

Matrix<std::uint32_t> longest_first(const Matrix<double>& load, std::size_t groups) {
    Matrix<std::uint32_t> place(load.rows(), load.cols());
    std::vector<std::size_t> order(load.cols());
    for (std::size_t l = 0; l < load.rows(); ++l) {
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return load(l, a) > load(l, b); });
        const std::size_t even = load.cols() / groups;
        std::size_t larger = load.cols() % groups;  // groups that may still hold one more than that
        std::vector<std::size_t> held(groups);
        std::vector<double> sum(groups);
        const auto has_room = [&](std::size_t g) { return held[g] < even || (held[g] == even && larger > 0); };
        for (const std::size_t e : order) {
            std::size_t best = groups;
            for (std::size_t g = 0; g < groups; ++g)
                if (has_room(g) && (best == groups || sum[g] < sum[best])) best = g;
            if (held[best] == even) --larger;
            ++held[best];
            sum[best] += load(l, e);
            place(l, e) = static_cast<std::uint32_t>(best);
        }
    }
    return place;
}

}  // namespace moesim
