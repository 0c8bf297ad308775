#pragma once
// NVIDIA GPUs of compute capability 8.0 and up.
#include "kernels/backend.hpp"

namespace moesim::kernels {

struct CudaOptions {
    int device = 0;  // as CUDA counts them
};

// Throws DeviceLacking, with the reason, where there is no such device or it cannot run this build's kernels.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});

}  // namespace moesim::kernels
