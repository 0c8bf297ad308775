#pragma once
// The CUDA kernels on the host, under the shim: for tests, not for speed.
#include "kernels/backend.hpp"

namespace moesim::kernels {

std::unique_ptr<Backend> make_shim_backend();

}  // namespace moesim::kernels
