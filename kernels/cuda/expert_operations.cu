// Operations that multiply matrices.
#include "base/error.hpp"
#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/stream.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

void CudaOperations::do_gate_logits(Stream&, ConstMatrixView, ConstMatrixView, MatrixView) {
    throw InternalError("gate_logits: not on CUDA yet");
}
void CudaOperations::do_expert_forward(Stream&, ConstMatrixView, std::span<const std::int64_t>,
                                       const ExpertWeightsView&, MatrixView) {
    throw InternalError("expert_forward: not on CUDA yet");
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
