#pragma once
// How uneven a load is, and how much one choice tells about the next; all as plain numbers over counts.
#include <cstdint>
#include <span>
#include <vector>

#include "base/matrix.hpp"

namespace moesim {

// Shannon entropy -sum p ln p in nats, of p = weights / sum; weights are >= 0 and need not sum to 1. 0 where nothing
// weighs.
double entropy(std::span<const double> weights);

// Gini coefficient: sum over i = 1..n of (2i - n - 1) x_i / (n sum x), x rising (Gini 1912; in this form: Sen,
// "On Economic Inequality", 1973). 0 where all are alike or nothing weighs, (n - 1) / n where one holds all.
double gini(std::span<const double> weights);

// Share of the sum that the largest tenth of the weights holds, their number rounded up. 0 where nothing weighs.
double top_tenth_share(std::span<const double> weights);

// Counts of the rows and of the columns of joint counts.
struct Marginals {
    explicit Marginals(const Matrix<std::int64_t>& joint);
    std::vector<double> rows, cols;
    std::int64_t total = 0;
};

// Mutual information in nats of the two variables whose joint counts these are, [one][other]: the plug-in estimate
// sum n_ij/N ln(n_ij N / (n_i n_j)). At least 0, at most the smaller of the two entropies; 0 without counts.
double mutual_information(const Matrix<std::int64_t>& joint);

// By how much that estimate is too large in expectation, to first order in 1/N, in nats:
// (rows - 1)(columns - 1) / (2N), rows and columns being those with any count (Miller, "Note on the bias of information
// estimates", 1955). It takes all their cells to be possible: exact for independent variables and many counts; too
// large where most cells are impossible or expected to hold less than one count.
double miller_madow_bias(const Matrix<std::int64_t>& joint);

// What the estimate shows where nothing is to be seen: miller_madow_bias where there are at least 20 counts a cell,
// else the mutual information of as many pairs that are drawn independently from the two margins (always the same
// draw).
double information_of_chance(const Matrix<std::int64_t>& joint);

}  // namespace moesim
