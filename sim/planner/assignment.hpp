#pragma once
// The assignment problem, by shortest augmenting paths (Jonker and Volgenant, Computing 38, 1987, in the dense form).
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/matrix.hpp"

namespace moesim {

// Keeps its work space from problem to problem, which are small and many.
class Assignment {
  public:
    // cost: square, finite. column: [row], each column once, of least total cost, which is returned.
    double solve(const Matrix<double>& cost, std::vector<std::uint32_t>& column);

  private:
    std::vector<double> row_price_, column_price_, distance_;
    std::vector<std::uint32_t> row_of_, before_;  // [column]; one more than there are, as a start
    std::vector<unsigned char> done_;
};

}  // namespace moesim
