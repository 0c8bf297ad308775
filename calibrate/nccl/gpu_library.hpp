#pragma once
// All that needs CUDA and NCCL, in a shared object of its own: moesim itself starts on machines that have neither.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/units.hpp"
#include "calibrate/nccl/nccl_api.hpp"
#include "kernels/backend.hpp"

namespace moesim {

// What CUDA and the driver say of a device.
struct GpuFacts {
    std::string name;      // "NVIDIA H100 80GB HBM3"
    std::string versions;  // of driver, CUDA, cuBLAS and NCCL
    std::int64_t multiprocessors = 1;
    Bytes memory, memory_free;
    Bytes cache;  // of the second level, which all multiprocessors share
};

class GpuLibrary {
  public:
    virtual ~GpuLibrary() = default;
    GpuLibrary() = default;
    GpuLibrary(const GpuLibrary&) = delete;
    GpuLibrary& operator=(const GpuLibrary&) = delete;

    // Throws kernels::DeviceLacking, with the driver's reason, where there is none.
    [[nodiscard]] virtual int devices() = 0;
    [[nodiscard]] virtual GpuFacts facts(int device) = 0;
    // The multiprocessors' clock as it is now (NVML); nothing where the driver does not say.
    [[nodiscard]] virtual std::optional<double> clock_mhz(int device) = 0;
    // Throws kernels::DeviceLacking. May not outlive the library.
    [[nodiscard]] virtual std::unique_ptr<kernels::Backend> backend(int device) = 0;
    [[nodiscard]] virtual NcclApi& nccl() = 0;
};

// Which device the rank has that is `local_rank` among `local_ranks` on its host: one each. Throws MachineLacks, with
// both numbers, where there are fewer devices.
int device_of_rank(GpuLibrary& library, int local_rank, int local_ranks);

// moesim_gpu.so beside the program, or where it is installed. It stays loaded. Throws MachineLacks, with the reason,
// where it was not built or what it needs is not there.
std::unique_ptr<GpuLibrary> load_gpu_library(const std::filesystem::path& program);

}  // namespace moesim
