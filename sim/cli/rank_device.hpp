#pragma once
#include <memory>
#include <string>

#include "calibrate/nccl/gpu_library.hpp"
#include "kernels/backend.hpp"

namespace moesim {

// What a rank computes on: one core, or one GPU of its host.
struct RankDevice {
    std::unique_ptr<GpuLibrary> library;  // goes last; nothing on the CPU
    int number = 0;                       // of the GPU
    std::unique_ptr<kernels::Backend> backend;
};

// backend: "cpu" or "cuda"; which rank this is among those of its host. Throws MachineLacks and DeviceLacking, with the
// reason.
RankDevice rank_device(const std::string& backend, int local_rank, int local_ranks);

}  // namespace moesim
