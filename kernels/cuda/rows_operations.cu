// Operations that move rows.
#include "base/error.hpp"
#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/stream.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

void CudaOperations::do_pack(Stream&, ConstMatrixView, ArrayView<const std::int32_t>, std::int64_t, PackedView) {
    throw InternalError("pack: not on CUDA yet");
}
void CudaOperations::do_unpack(Stream&, ConstPackedView, ArrayView<const std::int32_t>, MatrixView) {
    throw InternalError("unpack: not on CUDA yet");
}
void CudaOperations::do_combine(Stream&, ConstMatrixView, ArrayView<const std::int32_t>, ArrayView<const float>,
                                MatrixView) {
    throw InternalError("combine: not on CUDA yet");
}
void CudaOperations::do_add_residual(Stream&, ConstMatrixView, ConstMatrixView, MatrixView) {
    throw InternalError("add_residual: not on CUDA yet");
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
