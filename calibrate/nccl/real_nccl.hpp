#pragma once
// NCCL and the CUDA runtime behind the interface.
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <memory>

#include "calibrate/nccl/nccl_api.hpp"
#include "kernels/error.hpp"

namespace moesim {

// Throws kernels::DeviceFailure with what failed and why.
inline void require(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // the next call is not to report this one again
    throw kernels::DeviceFailure(std::string(what) + ": " + cudaGetErrorString(status));
}

std::unique_ptr<NcclApi> make_real_nccl();

}  // namespace moesim
