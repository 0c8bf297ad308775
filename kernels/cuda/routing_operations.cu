// Operations that choose experts and sort what was chosen.
#include "base/error.hpp"
#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/stream.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

void CudaOperations::do_select(Stream&, const Selection&, ConstMatrixView, RoutingView) {
    throw InternalError("select: not on CUDA yet");
}
void CudaOperations::do_select_by_hash(Stream&, const HashSelection&, RoutingView) {
    throw InternalError("select_by_hash: not on CUDA yet");
}
void CudaOperations::do_choose_tokens(Stream&, Score, std::int64_t, ConstMatrixView, RoutingView,
                                      ArrayView<std::int64_t>) {
    throw InternalError("choose_tokens: not on CUDA yet");
}
void CudaOperations::do_limit_load(Stream&, std::int64_t, RoutingView, ArrayView<std::int32_t>) {
    throw InternalError("limit_load: not on CUDA yet");
}
void CudaOperations::do_order_by_destination(Stream&, ConstRoutingView, ArrayView<const std::int32_t>,
                                             const DispatchOrderView&) {
    throw InternalError("order_by_destination: not on CUDA yet");
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
