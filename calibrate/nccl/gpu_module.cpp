// moesim_gpu.so: what load_gpu_library() finds.
#include <dlfcn.h>

#include <array>
#include <cstring>

#include "calibrate/nccl/gpu_library.hpp"
#include "calibrate/nccl/real_nccl.hpp"
#include "kernels/cuda/backend.hpp"

namespace moesim {
namespace {

// NVIDIA's management library comes with the driver, its header does not come with every toolkit: three functions of
// it, as its manual declares them. Whatever is missing or fails: no clock.
class Nvml {
  public:
    Nvml() : library_(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
        if (library_ == nullptr) return;
        const auto init = function<int()>("nvmlInit_v2");
        find_ = function<int(const char*, void**)>("nvmlDeviceGetHandleByPciBusId_v2");
        clock_ = function<int(void*, int, unsigned*)>("nvmlDeviceGetClockInfo");
        works_ = init != nullptr && find_ != nullptr && clock_ != nullptr && init() == 0;
    }
    [[nodiscard]] std::optional<double> clock_mhz(const char* pci_bus_id) const {
        constexpr int multiprocessors = 1;  // NVML_CLOCK_SM
        void* device = nullptr;
        unsigned mhz = 0;
        if (!works_ || find_(pci_bus_id, &device) != 0 || clock_(device, multiprocessors, &mhz) != 0) return {};
        return mhz;
    }

  private:
    template <class Function>
    Function* function(const char* name) {
        return reinterpret_cast<Function*>(::dlsym(library_, name));
    }
    void* library_;
    int (*find_)(const char*, void**) = nullptr;
    int (*clock_)(void*, int, unsigned*) = nullptr;
    bool works_ = false;
};

int attribute(cudaDeviceAttr which, int device) {
    int value = 0;
    require(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute");
    return value;
}

class RealGpuLibrary final : public GpuLibrary {
  public:
    int devices() override {
        int count = 0;
        const cudaError_t status = cudaGetDeviceCount(&count);
        if (status == cudaSuccess && count > 0) return count;
        cudaGetLastError();
        throw kernels::DeviceLacking(std::string("--backend cuda: no CUDA device: ") +
                                     (status == cudaSuccess ? "the driver knows of none" : cudaGetErrorString(status)));
    }
    GpuFacts facts(int device) override {
        cudaDeviceProp properties = {};
        require(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
        require(cudaSetDevice(device), "cudaSetDevice");
        std::size_t free = 0, total = 0;
        require(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
        GpuFacts facts;
        facts.name = properties.name;
        facts.versions = backend(device)->description() + ", NCCL " + nccl().version();
        facts.multiprocessors = properties.multiProcessorCount;
        facts.memory = Bytes(static_cast<std::int64_t>(total));
        facts.memory_free = Bytes(static_cast<std::int64_t>(free));
        facts.cache = Bytes(attribute(cudaDevAttrL2CacheSize, device));
        return facts;
    }
    std::optional<double> clock_mhz(int device) override {
        std::array<char, 32> pci_bus_id{};
        if (cudaDeviceGetPCIBusId(pci_bus_id.data(), pci_bus_id.size(), device) != cudaSuccess) return {};
        return nvml_.clock_mhz(pci_bus_id.data());
    }
    std::unique_ptr<kernels::Backend> backend(int device) override { return kernels::make_cuda_backend({device}); }
    NcclApi& nccl() override { return *nccl_; }

  private:
    std::unique_ptr<NcclApi> nccl_ = make_real_nccl();
    Nvml nvml_;
};

}  // namespace
}  // namespace moesim

extern "C" __attribute__((visibility("default"))) moesim::GpuLibrary* moesim_make_gpu_library(const char* version) {
    if (std::strcmp(version, MOESIM_VERSION) != 0) return nullptr;
    return new moesim::RealGpuLibrary;
}
