#pragma once
// The traffic matrix of nccl-tests' alltoallv_perf (NVIDIA/nccl-tests, src/alltoallv.cu): a line a sending rank, in it
// the bytes to each rank, separated by spaces. It is given by NCCL_TESTS_ALLTOALLV_MATRIX_FILE=FILE; -b and -e must be
// equal, and no less than what any rank sends or receives in all. alltoallv_perf rounds each value down to 16 bytes.
#include <cstdint>
#include <iosfwd>

#include "base/matrix.hpp"

namespace moesim {

// `bytes` is [from rank][to rank]. Throws InternalError where it is not square or has a negative element.
void write_alltoallv_matrix(std::ostream& out, const Matrix<std::int64_t>& bytes);

}  // namespace moesim
