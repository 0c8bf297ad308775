#include "config/trace/alltoallv.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ostream>

#include "base/error.hpp"

namespace moesim {

void write_alltoallv_matrix(std::ostream& out, const Matrix<std::int64_t>& bytes) {
    if (bytes.rows() != bytes.cols())
        throw InternalError(fmt::format("a traffic matrix of {} x {} ranks", bytes.rows(), bytes.cols()));
    if (std::any_of(bytes.values().begin(), bytes.values().end(), [](std::int64_t b) { return b < 0; }))
        throw InternalError("a traffic matrix with negative bytes");
    for (std::size_t from = 0; from < bytes.rows(); ++from) out << fmt::format("{}\n", fmt::join(bytes.row(from), " "));
}

}  // namespace moesim
