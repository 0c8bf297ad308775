#include "result/shrunk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace moesim {
namespace {

Range part(std::size_t size, std::size_t parts, std::size_t index) {
    return part_of({0, static_cast<std::int64_t>(size)}, static_cast<std::int64_t>(parts),
                   static_cast<std::int64_t>(index));
}

double block_mean(const Matrix<double>& values, Range rows, Range cols) {
    double sum = 0;
    std::int64_t numbers = 0;
    for (auto r = static_cast<std::size_t>(rows.begin); r < static_cast<std::size_t>(rows.end); ++r)
        for (auto c = static_cast<std::size_t>(cols.begin); c < static_cast<std::size_t>(cols.end); ++c)
            if (std::isfinite(values(r, c))) {
                sum += values(r, c);
                ++numbers;
            }
    return numbers == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(numbers);
}

}  // namespace

Range Shrunk::rows_of(std::size_t cell_row) const { return part(rows, cells.rows(), cell_row); }
Range Shrunk::cols_of(std::size_t cell_col) const { return part(cols, cells.cols(), cell_col); }

Shrunk shrink(const Matrix<double>& values, std::size_t max_rows, std::size_t max_cols) {
    Shrunk s;
    s.rows = values.rows();
    s.cols = values.cols();
    s.cells = Matrix<double>(std::min(s.rows, max_rows), std::min(s.cols, max_cols));
    for (std::size_t r = 0; r < s.cells.rows(); ++r)
        for (std::size_t c = 0; c < s.cells.cols(); ++c) s.cells(r, c) = block_mean(values, s.rows_of(r), s.cols_of(c));
    return s;
}

std::string block_note(const Shrunk& s, std::string_view mark, std::string_view row, std::string_view column) {
    if (s.whole()) return {};
    // The first part is one of the largest.
    return fmt::format("one {} is the mean of up to {} x {} cells ({} x {})", mark, s.rows_of(0).size(),
                       s.cols_of(0).size(), row, column);
}

std::string index_label(Range indices) {
    return indices.size() <= 1 ? fmt::format("{}", indices.begin)
                               : fmt::format("{}-{}", indices.begin, indices.end - 1);
}

ShownScale scale_of(const Matrix<double>& cells, std::optional<double> low, std::optional<double> high) {
    double least = std::numeric_limits<double>::infinity(), greatest = -least;
    for (const double v : cells.values())
        if (std::isfinite(v)) {
            least = std::min(least, v);
            greatest = std::max(greatest, v);
        }
    if (least > greatest) least = greatest = 0;
    ShownScale s;
    s.low = low.value_or(high ? std::min(least, *high) : least);
    s.high = std::max(s.low, high.value_or(greatest));
    return s;
}

double ShownScale::share(double value) const {
    return high > low ? std::clamp((value - low) / (high - low), 0.0, 1.0) : 0;
}

}  // namespace moesim
