#pragma once
// A matrix made small enough to be shown.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/matrix.hpp"
#include "base/split.hpp"

namespace moesim {

struct Shrunk {
    Matrix<double> cells;            // each the mean of a block of the original; NaN where a block has no number
    std::size_t rows = 0, cols = 0;  // of the original

    [[nodiscard]] Range rows_of(std::size_t cell_row) const;
    [[nodiscard]] Range cols_of(std::size_t cell_col) const;
    [[nodiscard]] bool whole() const { return cells.rows() == rows && cells.cols() == cols; }
};

// To at most that many rows and columns, both at least 1. Blocks differ in their sides by one at most; what is not
// finite counts as no number.
Shrunk shrink(const Matrix<double>& values, std::size_t max_rows, std::size_t max_cols);

// "one character is the mean of up to 2 x 4 cells (layer x expert)"; empty where nothing was shrunk.
std::string block_note(const Shrunk& shrunk, std::string_view mark, std::string_view row, std::string_view column);

// "7", or "4-7" for more than one.
std::string index_label(Range indices);

// From the value of the faintest mark to that of the strongest.
struct ShownScale {
    double low = 0, high = 0;                        // low <= high
    [[nodiscard]] double share(double value) const;  // how far up it is: 0 to 1; 0 on a scale without width
    [[nodiscard]] double at(double share) const { return low + share * (high - low); }
};

// The given ends; where there is none, the least or the greatest of the cells.
ShownScale scale_of(const Matrix<double>& cells, std::optional<double> low, std::optional<double> high);

}  // namespace moesim
