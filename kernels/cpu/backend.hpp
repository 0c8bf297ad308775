#pragma once
// This machine's own cores: a backend in its own right, and the reference for the others.
#include "kernels/backend.hpp"

namespace moesim::kernels {

struct CpuOptions {
    int threads = 0;  // 0: as many as there are cores (without OpenMP: one)
    // Which vector instructions: 0 the best that the machine has; 1 those of every x86-64, 3 x86-64-v3 (AVX2), 4
    // x86-64-v4 (AVX-512), for tests. Throws DeviceLacking where the machine has not got them.
    int level = 0;
    // Results of more than half of this leave the caches alone; 0: the size of the machine's last level.
    std::int64_t cache_bytes = 0;
};

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options = {});

}  // namespace moesim::kernels
